"""The journal of submissions: what was asked of a provider, when, and what became of it, as a pure state machine.

::

    (nothing) --Intended--> intent --Accepted--> submitted --Retrieved--> retrieved
                              |                     |
                              |---- Refused --------|--> failed      the provider does not have it, or it ended badly
                              |---- Lost -----------'--> unknown     nobody can say; never read as failed
                              '---- Retrieved ---------> retrieved   all of it was known from earlier runs
    intent, submitted, unknown, failed --Intended (next epoch)--> intent    taken over, or tried again

Laws: no provider call without a stored intent; the provider's job id is stored before the job is waited for; an answer
is stored before it is said. Every write is a compare-and-swap, and a step of an older epoch is refused, so that a
gateway that was given up cannot write into the run of the one that took over.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from quire_contracts.value import BlobRef, Fault, Key, Target, Value

if TYPE_CHECKING:
    from quire_contracts.batch import Batch

KIND: Final = "submission"
"""The kind of record that the journal is made of; its id is the batch's."""

_STEPS_KEPT: Final = 32
_TOKEN_CHARACTERS: Final = 52

State = Literal["intent", "submitted", "retrieved", "failed", "unknown"]
Action = Literal["begin", "answer", "fail"]
"""What to do with a batch that arrives: submit it, say its stored answer again, or say its stored failure again."""


class IllegalStep(ValueError):
    """A step that the state does not allow, or of an epoch that is over."""


class Step(Value, frozen=True):
    """One line of a submission's history."""

    state: State
    epoch: int
    at: datetime
    note: str = ""


class Submission(Value, frozen=True):
    """One batch's submission.

    token: identifies it at the provider; equal for equal requests of one batch.
    epoch: counts the gateways that have taken it on; steps of earlier ones are refused.
    answer: the stored BatchExecuted, once retrieved; fault: why it failed, while it is failed.
    """

    batch_id: Key
    target: Target
    request_sha256: str
    token: str
    epoch: int
    state: State
    steps: tuple[Step, ...]
    provider_job_id: str = ""
    answer: BlobRef | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Intended:
    """A gateway is about to call the provider."""

    batch_id: str
    target: str
    request_sha256: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has the work under this id."""

    epoch: int
    provider_job_id: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The answer is stored."""

    epoch: int
    answer: BlobRef


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused the work, or ran it and it failed."""

    epoch: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody can say whether the provider has the work."""

    epoch: int
    note: str


Event = Intended | Accepted | Retrieved | Refused | Lost

_ALLOWED: Final[dict[type, tuple[frozenset[str | None], State]]] = {
    Intended: (frozenset({None, "intent", "submitted", "unknown", "failed"}), "intent"),
    Accepted: (frozenset({"intent", "unknown"}), "submitted"),
    Retrieved: (frozenset({"intent", "submitted"}), "retrieved"),
    Refused: (frozenset({"intent", "submitted"}), "failed"),
    Lost: (frozenset({"intent", "submitted"}), "unknown"),
}
"""For each event the states it may meet, and the one it leads to."""


def transition(current: Submission | None, event: Event, now: datetime) -> Submission:
    """The submission after an event.

    Raises:
        IllegalStep: the state does not allow the event, the event is of another epoch, or the batch's id was used for
            another request.
    """
    states, state = _ALLOWED[type(event)]
    found = current.state if current is not None else None
    if found not in states:
        raise IllegalStep(f"{type(event).__name__} does not follow {found}")
    if isinstance(event, Intended):
        return _intended(current, event, now)
    if current is None or event.epoch != current.epoch:
        raise IllegalStep(f"{type(event).__name__} is not of the current epoch")
    step = Step(state=state, epoch=current.epoch, at=now, note=event.note if isinstance(event, Lost) else "")
    return msgspec.structs.replace(
        current,
        state=state,
        steps=(*current.steps, step)[-_STEPS_KEPT:],
        provider_job_id=event.provider_job_id if isinstance(event, Accepted) else current.provider_job_id,
        answer=event.answer if isinstance(event, Retrieved) else None,
        fault=event.fault if isinstance(event, Refused) else None,
    )


def next_action(current: Submission | None) -> Action:
    """What a gateway does with a batch whose journal reads so, where running a lost job again is free.

    A provider that remembers its jobs is asked for them first; such a provider needs another rule than this one.
    """
    if current is None or current.state in ("intent", "submitted", "unknown"):
        return "begin"
    if current.state == "retrieved":
        return "answer"
    return "begin" if current.fault is not None and current.fault.kind == "transient" else "fail"


def request_sha256(batch: Batch) -> str:
    """Digest of what is asked of the provider: what runs and with which numbers, not who asks or when."""
    asked = (
        batch.target,
        batch.structure.sha256,
        batch.observables.sha256 if batch.observables else None,
        batch.shots,
        [(member.task_id, member.attempt, member.first, member.seed, member.parameters) for member in batch.members],
    )
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()


def token_of(batch_id: str, request: str) -> str:
    """The submission's name at the provider: 52 characters of base 32, fit for a client token or a tag."""
    digest = hashlib.blake2s(f"{batch_id}|{request}".encode()).digest()
    return base64.b32encode(digest).decode().lower().rstrip("=")[:_TOKEN_CHARACTERS]


def _intended(current: Submission | None, event: Intended, now: datetime) -> Submission:
    if current is not None and current.request_sha256 != event.request_sha256:
        raise IllegalStep("the batch's id was used for another request")
    epoch = current.epoch + 1 if current is not None else 1
    note = event.note or (f"taken over from {current.state}" if current is not None else "")
    earlier = current.steps if current is not None else ()
    return Submission(
        batch_id=event.batch_id,
        target=event.target,
        request_sha256=event.request_sha256,
        token=token_of(event.batch_id, event.request_sha256),
        epoch=epoch,
        state="intent",
        steps=(*earlier, Step(state="intent", epoch=epoch, at=now, note=note))[-_STEPS_KEPT:],
    )
