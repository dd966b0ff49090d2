"""Running a job again: a new job of the same document, seed and place, that says which one it repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quire_contracts.intake import DocumentError, parse_document
from quire_contracts.job import JobRejected
from quire_contracts.record import Replay, evolve
from quire_control_plane.change import Change, Say
from quire_control_plane.submission.admission import Origin, Submission, begun, record_of
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from quire_contracts.job import ReplayJob
    from quire_contracts.record import JobRecord
    from quire_control_plane.change import Moment
    from quire_control_plane.loops.continuing import Beginning


def replay(
    command: ReplayJob,
    first: JobRecord,
    document: bytes,
    traceparent: str | None,
    moment: Moment,
    *,
    beginning: Beginning | None = None,
) -> Change:
    """The new job, on its way to be prepared.

    It has the first one's document, tags, limits and seed, also where the document named none, and as long until its
    deadline. It runs at the target that was named, else where the first one ran, with as many shots; an overloaded
    target makes it wait, but never smaller.

    Args:
        command: which job, and where.
        first: its record.
        document: its canonical document.
        traceparent: the span that took the command.
        moment: now, and the id of the command's message.
        beginning: where the first one's loop went on from an earlier job, if it did.

    Raises:
        Permanent: this release does not accept the document any more.
    """
    try:
        job = msgspec.structs.replace(parse_document(document), tenant=command.tenant)
    except DocumentError as error:
        reason = f"this release does not accept the job's document any more: {error}"[:2_000]
        raise Permanent("invalid-document", reason, next_step="Submit it anew, as this release wants it.") from error
    submission = Submission(command.tenant, command.job_id, command.job_id, job, document, first.content_sha256)
    record = record_of(submission, Origin(first.document, traceparent, first.seed, beginning), moment)
    return begun(repeated(record, Replay(of=command.replay_of, target=command.target), first), submission)


def repeated(record: JobRecord, replay: Replay, first: JobRecord | None) -> JobRecord:
    """A new job's record as that of one which repeats `first`: its seed, its shots, and the places where it ran.

    Of a first job that is not known any more only the named target can be repeated.
    """
    if first is None:
        return evolve(record, replay=replay, targets=record.targets if replay.target is None else (replay.target,))
    lowered = next((each.shots for each in reversed(first.decisions) if each.shots is not None), None)
    return evolve(
        record,
        seed=first.seed,
        seeded=first.seeded,
        targets=places_of(replay.target, first),
        min_shots=None,
        replay=msgspec.structs.replace(replay, shots=lowered),
    )


def refused(command: ReplayJob, first: JobRecord | None) -> Change:
    """The answer where there is nothing to run again: no such job, or one that never became one."""
    what = "does not exist" if first is None else "was rejected"
    said = JobRejected(
        job_id=command.job_id,
        tenant=command.tenant,
        code="nothing-to-replay",
        reason=f"job {command.replay_of}, which was to run again, {what}",
        next_step="check the id and the tenant of the job that is to run again",
    )
    return Change(None, (Say(said),))


def places_of(target: str | None, first: JobRecord) -> tuple[str, ...]:
    """Where the job runs: at the named target; else where the first one ran, in its order; else where it might have."""
    if target is not None:
        return (target,)
    ran = dict.fromkeys(execution.target for execution in first.executions)
    return tuple(ran) or first.targets
