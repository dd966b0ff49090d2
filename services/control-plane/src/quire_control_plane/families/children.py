"""What being a child means for a job: how it is made, what its end tells its parent, that it does not outlive it."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts import limits
from quire_contracts.family import ChildEnded, Parent, headline
from quire_contracts.intake import encode_document, parse_document
from quire_contracts.job import CancelJob
from quire_contracts.record import Replay, evolve
from quire_contracts.result import OptimizeResult
from quire_control_plane.change import Change, Say
from quire_control_plane.patience.deadlines import reserve
from quire_control_plane.submission.admission import Origin, Submission, begun, record_of
from quire_control_plane.submission.replaying import repeated
from quire_control_plane.verdict.ran import ran_by

if TYPE_CHECKING:
    from quire_contracts.family import Child, ChildState, Family
    from quire_contracts.record import JobRecord, JobState
    from quire_contracts.value import BlobRef
    from quire_control_plane.change import Moment

_NAMESPACE: Final = uuid.UUID("6d0b8a52-93c1-5a7e-8a51-0f3f6c1f9a42")
_SHARE_OF_TIME: Final = 0.8
"""A child's deadline comes when so much of the time until its parent's ending is over: what it has can be gathered."""

_ENDS: Final[dict[JobState, ChildState]] = {
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
    "rejected": "rejected",
}


def child_id(parent: JobRecord, name: str, of: str | None = None) -> str:
    """The id of the child of that name: a UUID that follows from the parent's id alone (or from that of job `of`)."""
    return str(uuid.uuid5(_NAMESPACE, f"{parent.tenant}|{of or parent.job_id}|{name}"))


def submission_of(parent: JobRecord, child: Child, body: bytes) -> Submission:
    """A child's document (JSON) as a submission under the child's id.

    Raises:
        DocumentError: if it is not accepted; whoever planned it has looked at it.
    """
    document = msgspec.structs.replace(parse_document(body), tenant=parent.tenant)
    canonical = encode_document(document)
    digest = hashlib.sha256(canonical).hexdigest()
    return Submission(parent.tenant, child.job_id, child.job_id, document, canonical, digest)


def born(
    parent: JobRecord,
    child: Child,
    submission: Submission,
    document: BlobRef,
    moment: Moment,
    *,
    first: JobRecord | None = None,
) -> Change:
    """The child as a job on its way to be prepared.

    Its trace is its parent's, its deadline a little before, its budget its share. A document without a seed has one
    that follows from the parent's and the child's name. The child of a replay repeats the first one's child, which is
    `first` where there was one: where that ran, with as many shots, unless the replay names another target.
    """
    record = record_of(submission, Origin(document, parent.traceparent, _seed(parent, child.name)), moment)
    if parent.replay is not None:
        of = child_id(parent, child.name, parent.replay.of)
        record = repeated(record, Replay(of=of, target=parent.replay.target), first)
    deadline = None
    if parent.deadline_at is not None:
        left = max(0.0, (parent.deadline_at - moment.now).total_seconds() - reserve(parent))
        deadline = moment.now + timedelta(seconds=_SHARE_OF_TIME * left)
    record = evolve(
        record,
        parent=Parent(parent.job_id, child.name),
        seeded=record.seeded or parent.seeded,
        deadline_at=deadline,
        max_shots=min((n for n in (record.max_shots, child.max_shots) if n is not None), default=None),
        max_usd=min((n for n in (record.max_usd, child.max_usd) if n is not None), default=None),
        max_seconds=min((n for n in (record.max_seconds, child.max_seconds) if n is not None), default=None),
    )
    return begun(record, submission)


def told(record: JobRecord, parent: Parent, result: BlobRef | None) -> ChildEnded:
    """What a child's end tells its parent. `result` is where the child's answer lies."""
    answer = record.result
    return ChildEnded(
        job_id=parent.job_id,
        tenant=record.tenant,
        child_id=record.job_id,
        name=parent.name,
        state=_ENDS[record.state],
        degraded=record.degraded,
        reason=record.reason[:2_000],
        fault=record.fault,
        value=headline(answer)[0],
        source=answer.source if isinstance(answer, OptimizeResult) else "",
        shots=record.shots,
        cost_usd=record.cost_usd,
        timings=record.timings,
        result=result,
        needs_review=record.needs_review,
        ran=ran_by(record),
    )


def left_behind(change: Change) -> Change:
    """The change, with a word to stop each child that its job, which is over now, waits for no more."""
    record = change.record
    if record is None or not record.is_over or record.family is None:
        return change
    reason = f"job {record.job_id}, of which it is a part, is over: {record.state}"
    family, words = given_up(record.family, record, reason)
    if family == record.family:
        return change
    return replace(change, record=evolve(record, family=family), says=(*change.says, *words))


def given_up(
    family: Family, record: JobRecord, reason: str, moment: Moment | None = None
) -> tuple[Family, tuple[Say, ...]]:
    """The family when nobody is waited for any more, and the words that stop those who are under way.

    moment: when that is, of a job that goes on; who has not begun ends then, who has when it says so.
    """
    words, children = [], []
    for child in family.children:
        given = msgspec.structs.replace(child, state="cancelled", reason=reason)
        if child.state == "planned":
            children.append(given if moment is None else msgspec.structs.replace(given, ended_at=moment.now))
        elif child.state == "running":
            children.append(given)
            words.append(Say(CancelJob(job_id=child.job_id, tenant=record.tenant, reason=reason)))
        else:
            children.append(child)
    return msgspec.structs.replace(family, children=tuple(children)), tuple(words)


def _seed(parent: JobRecord, name: str) -> int:
    digest = hashlib.sha256(f"{parent.seed}|{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (limits.SEED + 1)
