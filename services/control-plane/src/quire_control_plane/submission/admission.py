"""How a submission becomes a job: checked, identified, recorded, and sent to be prepared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from quire_contracts import limits
from quire_contracts.document import KINDS, EstimateJob, KernelJob, MinimizeJob, OptimizeJob, SweepJob
from quire_contracts.intake import SHARED_TENANT, DocumentError, encode_document, job_id_for, parse_document
from quire_contracts.job import JobAccepted, JobRejected, SubmissionRefused
from quire_contracts.preparation import PrepareJob
from quire_contracts.record import Checkpoint, JobRecord, Step
from quire_contracts.value import Problem
from quire_contracts.verdict import AnswerRules
from quire_control_plane.change import Change, Moment, Say
from quire_control_plane.loops.continuing import taken_over
from quire_control_plane.loops.optimizers import settings_of
from quire_control_plane.patience.deadlines import timer

if TYPE_CHECKING:
    from quire_contracts.document import JobDocument
    from quire_contracts.job import SubmitJob
    from quire_contracts.value import BlobRef
    from quire_control_plane.loops.continuing import Beginning


@dataclass(frozen=True, slots=True)
class Submission:
    """A checked submission: whose it is, under which key it came, which job it names.

    `canonical` is the document's canonical JSON, which `content_sha256` is the digest of.
    """

    tenant: str
    key: str
    job_id: str
    document: JobDocument
    canonical: bytes
    content_sha256: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What a new job starts from besides its document's content.

    `document` is where the canonical document lies; `traceparent` the span that took the submission, the root of the
    job's trace for all that follows; `random_seed` the seed of a job that names none; `beginning` what its loop goes on
    from.
    """

    document: BlobRef
    traceparent: str | None
    random_seed: int
    beginning: Beginning | None = None


def read(command: SubmitJob, body: bytes) -> Submission:
    """Check a submission's document (JSON bytes) against the contract and against the subject it came on.

    The job id is the subject's key, unless the document names an idempotency key: then it follows from that.

    Raises:
        DocumentError: with every problem found.
    """
    document = parse_document(body)
    if document.tenant not in {"default", command.tenant} or command.tenant == SHARED_TENANT:
        raise DocumentError(
            Problem(
                pointer="/tenant",
                reason=f"the document names tenant `{document.tenant}`, the subject `{command.tenant}`",
                hint="leave the field out: the subject says whose job it is",
            )
        )
    document = msgspec.structs.replace(document, tenant=command.tenant)
    key = document.idempotency_key
    job_id = command.job_id if key is None else job_id_for(command.tenant, key)
    canonical = encode_document(document)
    return Submission(command.tenant, command.job_id, job_id, document, canonical, sha256(canonical).hexdigest())


def reject(command: SubmitJob, error: DocumentError, record: JobRecord | None) -> Change:
    """The answer to a document with problems; a job that has the submission's id already is left alone."""
    reason = f"the job document has {len(error.problems)} problem(s): {error}"[:2_000]
    next_step = "correct the fields named in `problems` and submit again"
    answer: JobRejected | SubmissionRefused
    if record is None:
        answer = JobRejected(
            job_id=command.job_id,
            tenant=command.tenant,
            code="invalid-document",
            reason=reason,
            next_step=next_step,
            problems=error.problems,
        )
    else:
        answer = SubmissionRefused(
            submission=command.job_id,
            tenant=command.tenant,
            job_id=command.job_id,
            code="invalid-document",
            reason=reason,
            next_step=next_step,
        )
    return Change(None, (Say(answer),))


def admit(record: JobRecord | None, submission: Submission, origin: Origin, moment: Moment) -> Change:
    """Decide on a checked submission.

    A new job gets a record, `JobAccepted`, `PrepareJob` and, if it has a deadline, a scheduled `ExpireJob`. The same
    content again is answered and changes nothing; other content under the same id is refused.

    Args:
        record: the job's record if it exists already.
        submission: what `read` made of the command.
        origin: what the handler did or drew for the new job.
        moment: now, and the id of the submission's message.
    """
    if record is not None and record.content_sha256 != submission.content_sha256:
        refused = SubmissionRefused(
            submission=submission.key,
            tenant=submission.tenant,
            job_id=record.job_id,
            code="idempotency-conflict",
            reason="this key already names a job with other content",
            next_step="use a new key for new content, or send the same content to get the same job",
        )
        return Change(None, (Say(refused),))
    if record is not None:
        return Change(None, _acceptance(record, submission, repeated=True))
    return begun(record_of(submission, origin, moment), submission)


def begun(record: JobRecord, submission: Submission) -> Change:
    """A new job with this record: accepted, sent to be prepared, and to be ended at its deadline if it has one."""
    prepare = PrepareJob(job_id=record.job_id, tenant=record.tenant, document=record.document, seed=record.seed)
    says = (*_acceptance(record, submission, repeated=False), Say(prepare))
    return Change(record, (*says, *timer(record)))


def _acceptance(record: JobRecord, submission: Submission, *, repeated: bool) -> tuple[Say, ...]:
    accepted = JobAccepted(
        job_id=record.job_id,
        tenant=record.tenant,
        kind=record.kind,
        name=record.name,
        project=record.project,
        priority=record.priority,
        content_sha256=record.content_sha256,
        accepted_at=record.accepted_at,
        targets=record.targets,
        tags=record.tags,
        deadline_at=record.deadline_at,
        repeated=repeated,
        replay_of=record.replay.of if record.replay else None,
        parent=record.parent.job_id if record.parent else None,
    )
    if submission.key == record.job_id:
        return (Say(accepted),)
    under_key = Say(accepted, key=submission.key)
    return (under_key,) if repeated else (Say(accepted), under_key)


def record_of(submission: Submission, origin: Origin, moment: Moment) -> JobRecord:
    """The record of a new job."""
    job = submission.document
    deadline = None if job.deadline_seconds is None else moment.now + timedelta(seconds=job.deadline_seconds)
    record = JobRecord(
        job_id=submission.job_id,
        tenant=submission.tenant,
        kind=KINDS[type(job)],
        name=job.name,
        project=job.project,
        priority=job.priority,
        tags=job.tags,
        targets=job.targets,
        seed=origin.random_seed if job.seed is None else job.seed,
        seeded=job.seed is not None,
        content_sha256=submission.content_sha256,
        document=origin.document,
        state="queued",
        accepted_at=moment.now,
        updated_at=moment.now,
        history=(Step(state="queued", at=moment.now, cause=moment.cause),),
        trace_id=origin.traceparent.split("-")[1] if origin.traceparent else "",
        traceparent=origin.traceparent,
        deadline_at=deadline,
        max_shots=job.budget.max_shots,
        max_usd=job.budget.max_usd,
        max_seconds=job.budget.max_seconds or None,
        min_shots=fewest_shots(job),
        rules=answer_rules(job),
        checkpoint=_first_checkpoint(job) if isinstance(job, OptimizeJob | MinimizeJob) else None,
    )
    return taken_over(record, origin.beginning)


def answer_rules(job: JobDocument) -> AnswerRules | None:
    """What the job asks of its own answer, if it does."""
    asked = getattr(job, "rules", None)
    return asked if isinstance(asked, AnswerRules) else None


def fewest_shots(job: JobDocument) -> int | None:
    """Shots of each circuit that will do where backends are overloaded; None where no fewer than asked for will.

    Of a precision p: ceil(1 / p^2), as many as a standard error of p with a unit coefficient takes, rounded as
    preprocessing rounds the shots of the precision that is asked for.
    """
    if isinstance(job, EstimateJob | MinimizeJob):
        coarsest = job.coarsest_precision
        return None if isinstance(coarsest, msgspec.UnsetType) else _shots_for(coarsest)
    if isinstance(job, SweepJob | KernelJob):
        return None
    return None if isinstance(job.min_shots, msgspec.UnsetType) else job.min_shots


def _shots_for(precision: float) -> int:
    return min(limits.SHOTS, math.ceil(1 / precision**2 * (1 - 1e-12)))


def _first_checkpoint(job: OptimizeJob | MinimizeJob) -> Checkpoint:
    """A loop that has not begun: the optimiser's settings stand where its state will."""
    optimizer = job.algorithm.optimizer
    least = optimizer.min_improvement
    return Checkpoint(
        phase="sweep",
        round=0,
        rounds=optimizer.rounds,
        optimizer=settings_of(optimizer),
        best_parameters=(),
        best_objective=None,
        patience=None if isinstance(optimizer.patience, msgspec.UnsetType) else optimizer.patience,
        min_improvement=0.0 if isinstance(least, msgspec.UnsetType) else least,
    )
