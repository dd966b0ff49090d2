"""What follows for jobs from a message that nobody can read: they end with a reason, because nothing else will come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.batch import ExecuteBatch, SimulateBatch
from quire_contracts.job import AbandonJob
from quire_contracts.registry import entry_of
from quire_contracts.value import Fault, Key, Tenant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from quire_bus.read import Kept
    from quire_contracts.registry import Entry

FAULT: Final = Fault(
    kind="unknown",
    code="unreadable-message",
    reason="a message about the job could not be read, so that its work cannot go on",
    next_step="Submit it again. If that fails too, report it: the dead letter holds the message.",
    retryable=True,
)
_MOST: Final = 900
"""Jobs that one commit ends: it has at most 1,000 parts. No message of 256 KiB names as many."""

_COMMANDS: Final = tuple(entry_of(command) for command in (ExecuteBatch, SimulateBatch))


class _Member(msgspec.Struct, frozen=True):
    tenant: Tenant
    job_id: Key


class _Result(msgspec.Struct, frozen=True):
    member: _Member


class _Batch(msgspec.Struct, frozen=True):
    members: tuple[_Member, ...] = ()


class _Named(msgspec.Struct, frozen=True):
    """Whatever a message about a batch is, this much of it says whose it is."""

    batch: _Batch = _Batch()
    members: tuple[_Member, ...] = ()
    results: tuple[_Result, ...] = ()

    @property
    def all(self) -> tuple[_Member, ...]:
        return (*self.batch.members, *self.members, *(result.member for result in self.results))


_decoder: Final = msgspec.json.Decoder(_Named)


async def abandoned(
    entry: Entry, tenant: str, key: str, body: bytes, last: Callable[[str], Awaitable[Kept | None]]
) -> Sequence[AbandonJob]:
    """The words that end the jobs of an unreadable message; none where nobody can say whose it was.

    A message about a job has its id as the key of its subject. One about a batch names its jobs as far as it can still
    be read; where it cannot, the command that began the batch does.

    Args:
        entry: what the message should have been.
        tenant: of its subject.
        key: of its subject.
        body: its body.
        last: reads the newest message of a subject.
    """
    field = entry.key.rpartition(".")[2]
    if field == "job_id":
        return [AbandonJob(job_id=key, tenant=tenant, fault=FAULT)]
    if field != "batch_id":
        return []
    found = _members(body)
    for command in _COMMANDS:
        if not found and (kept := await last(command.subject_for(tenant, key))) is not None:
            found = _members(kept.body)
    jobs = dict.fromkeys((member.tenant, member.job_id) for member in found)
    return [AbandonJob(job_id=job_id, tenant=owner, fault=FAULT) for owner, job_id in list(jobs)[:_MOST]]


def _members(body: bytes) -> tuple[_Member, ...]:
    try:
        return _decoder.decode(body).all
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
