"""The ledger's lines: what a cloud was asked, what it did, and what became of it."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from quire_emulator.rules import Rule

Api = Literal["braket", "ibm", "anonymous"]
Status = Literal["QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]

OVER: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED"})


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="what"):
    """One line; `at` is in seconds since 1970."""

    at: float


class Opened(Line, frozen=True, tag="opened"):
    """The emulator started, for the first time or again."""

    seed: int
    pid: int = 0


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a caller wants to run.

    Attributes:
        token: the client token; "" where the API has none.
        tags: by name; the jobs API's have no value.
        request: a hash of all that the token must stand for.
        body: the action or the parameters, as they came.
        bucket, prefix: where Braket shall put the result.
        caller: the access key, or the start of the bearer's token.
    """

    api: Api
    device: str
    shots: int
    body: str
    request: str
    token: str = ""
    tags: dict[str, str] = {}
    bucket: str = ""
    prefix: str = ""
    caller: str = ""
    parameters: str = ""
    region: str = ""


class Called(Line, frozen=True, tag="called"):
    """A call, written before it is answered.

    Attributes:
        call: its number.
        operation: create, get, search, cancel, device, devices, limits, result.
        token, tags, request: of a create.
        job: the job it made, found or asked about.
        again: a create that found the job of its token.
        rule, fault: the fault that came true.
        status: of the answer; 0 where there was none.
        code: the error's.
    """

    call: int
    api: Api
    operation: str
    device: str = ""
    token: str = ""
    tags: tuple[str, ...] = ()
    request: str = ""
    caller: str = ""
    job: str = ""
    again: bool = False
    rule: str = ""
    fault: str = ""
    status: int = 0
    code: str = ""


class Promised(Line, frozen=True, tag="promised"):
    """A create that was not answered and is applied at `due`."""

    call: int
    due: float
    order: Order


class Applied(Line, frozen=True, tag="applied"):
    """A job exists, and costs.

    Attributes:
        call: the create that made it.
        ready: when its turn in the queue comes.
        shown: from when on a search finds it.
        withheld: until when its result is missing.
        fails: why it will fail; "" if it does not.
        share: of its programs or shots that succeed.
        rules: the faults that came true for it.
    """

    call: int
    job: str
    order: Order
    ready: float
    price: float = 0.0
    shown: float = 0.0
    withheld: float = 0.0
    fails: str = ""
    share: float = 1.0
    rules: tuple[str, ...] = ()


class Moved(Line, frozen=True, tag="moved"):
    """A job is in another state; `good` is how many shots or programs succeeded."""

    job: str
    status: Status
    reason: str = ""
    good: int = 0


class Armed(Line, frozen=True, tag="armed"):
    """A fault may happen from now on."""

    rule: Rule


class Disarmed(Line, frozen=True, tag="disarmed"):
    """A fault happens no more."""

    rule: str


Entry = Opened | Called | Promised | Applied | Moved | Armed | Disarmed
