"""What a loop takes over from an earlier job's: its best parameters, or all that it was after a round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from quire_contracts.continuation import Continuation, From
from quire_contracts.document import KINDS, OptimizeJob
from quire_contracts.intake import DocumentError
from quire_contracts.loop_circuits import starts_of
from quire_contracts.preparation import PreparationFailed
from quire_contracts.record import Checkpoint, JobRecord, evolve
from quire_contracts.value import Fault, Problem
from quire_control_plane.loops.stretching import stretched
from quire_control_plane.tasks import preparation_of

if TYPE_CHECKING:
    from quire_contracts.document import JobDocument, Qaoa
    from quire_contracts.optimizers import Optimizer
    from quire_contracts.preparation import Loop
    from quire_contracts.result import Best
    from quire_contracts.vqe import Vqe


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a new job's loop begins: what it takes over, and, after a round, the earlier job's loop as it stood."""

    taken: Continuation
    checkpoint: Checkpoint | None = None
    best: Best | None = None


def warm(earlier: JobRecord, document: JobDocument) -> Beginning:
    """A start at the best parameters of a job that has ended, stretched to more layers where the document asks for it.

    Raises:
        DocumentError: it has not ended, is of another kind, never had parameters, or has too many layers.
    """
    checkpoint = _loop_of(earlier, document)
    if not earlier.is_over:
        raise _refused(
            f"job {earlier.job_id} has not ended, and its best parameters may still change",
            hint="wait until it has ended, or name the `round` after which this one goes on",
        )
    if not checkpoint.best_parameters:
        raise _refused(f"the loop of job {earlier.job_id} never began: {earlier.reason or earlier.state}")
    taken = _taken(earlier, checkpoint)
    if _interpolates(document):
        taken = msgspec.structs.replace(taken, parameters=_fitted(taken, document), interpolates=True)
    return Beginning(taken)


def resumed(then: JobRecord, after: int, theirs: JobDocument, document: JobDocument) -> Beginning:
    """A start where an earlier job stood after so many rounds.

    Args:
        then: its record at the first moment when it had done them, or had ended without.
        after: how many.
        theirs: its document.
        document: the new job's.

    Raises:
        DocumentError: it ended before, never was there, or is of another kind.
    """
    checkpoint = _loop_of(then, document)
    if then.is_over or not is_past(then, after) or len(checkpoint.history) != after:
        raise _refused(_missing(then, after), pointer="/from/round", hint="name a round that its history has")
    alike = _settings(theirs) == _settings(document)
    taken = msgspec.structs.replace(_taken(then, checkpoint), round=after, resumes=alike)
    return Beginning(taken, checkpoint, then.best)


def is_past(record: JobRecord, rounds: int) -> bool:
    """Whether a loop has done so many rounds, or has ended without: once true, it stays so."""
    checkpoint = record.checkpoint
    if record.is_over or checkpoint is None:
        return True
    return checkpoint.phase != "sweep" and len(checkpoint.history) >= rounds


def taken_over(record: JobRecord, beginning: Beginning | None) -> JobRecord:
    """A new job's record with what its loop takes over; how long the loop goes on is the new job's to say."""
    if beginning is None:
        return record
    record = evolve(record, continues=beginning.taken)
    first, then = record.checkpoint, beginning.checkpoint
    if first is None or then is None:
        return record
    checkpoint = msgspec.structs.replace(
        then,
        phase="round",
        round=len(then.history),
        rounds=first.rounds,
        patience=first.patience,
        min_improvement=first.min_improvement,
        stopped="",
        optimizer=then.optimizer if beginning.taken.resumes else first.optimizer,
        settings=first.optimizer if then.settings else {},
    )
    return evolve(record, checkpoint=checkpoint, best=beginning.best)


def mismatch(record: JobRecord, taken: Continuation) -> PreparationFailed | None:
    """Why a prepared loop cannot go on from what it took over: it has other parameters, or measures something else."""
    prepared = preparation_of(record)
    sizes = _sizes(prepared.loop)
    if len(taken.parameters) not in sizes:
        reason = f"job {taken.job} has {len(taken.parameters)} parameters, this one has {sizes[-1]}"
        hint = "use an ansatz of the same kind and as many layers, or `interpolate` those of fewer"
    elif taken.round is not None and not _measures_the_same(record, taken):
        reason = f"job {taken.job} measured another circuit or another energy, so its rounds are not this loop's"
        hint = "leave out `round` to start at its best parameters"
    else:
        return None
    return _refusal(record, reason, hint)


def in_parts(record: JobRecord, taken: Continuation) -> PreparationFailed:
    """The refusal of a job that is solved in parts, and so has no loop to go on from an earlier one's."""
    reason = f"the problem is solved in parts, each by a loop of its own: none of them is that of job {taken.job}"
    return _refusal(record, reason, "leave out `from`, or choose a problem that fits its target whole")


def _refusal(record: JobRecord, reason: str, hint: str) -> PreparationFailed:
    return PreparationFailed(
        job_id=record.job_id,
        tenant=record.tenant,
        fault=Fault(kind="invalid", code="continuation-mismatch", reason=reason, next_step=f"{hint}.", retryable=False),
        problems=(Problem(pointer="/from/job", reason=reason, hint=hint),),
    )


def unknown(tenant: str, job_id: str) -> DocumentError:
    """The tenant has no such job, or has it no more."""
    return _refused(
        f"tenant {tenant} has no job {job_id}", hint="check the id and the tenant; jobs are kept for 30 days"
    )


def _loop_of(earlier: JobRecord, document: JobDocument) -> Checkpoint:
    kind = KINDS[type(document)]
    if earlier.kind != kind or earlier.checkpoint is None:
        raise _refused(f"job {earlier.job_id} is of kind `{earlier.kind}`, this one of kind `{kind}`")
    return earlier.checkpoint


def _taken(earlier: JobRecord, checkpoint: Checkpoint) -> Continuation:
    prepared = preparation_of(earlier)
    return Continuation(
        job=earlier.job_id,
        parameters=checkpoint.best_parameters,
        structure_sha256=prepared.structure.sha256,
        observables_sha256=prepared.observables.sha256 if prepared.observables is not None else None,
    )


def _interpolates(document: JobDocument) -> bool:
    start = getattr(document, "start", None)
    return isinstance(start, From) and start.interpolate


def _fitted(taken: Continuation, document: JobDocument) -> tuple[float, ...]:
    """The parameters of a shallower QAOA for the document's layers."""
    if not isinstance(document, OptimizeJob) or document.algorithm.angles == "multi":
        raise _refused("only shared angles of QAOA can be stretched", pointer="/from/interpolate", hint="leave it out")
    try:
        return stretched(taken.parameters, document.algorithm.layers)
    except ValueError as error:
        hint = "name a job of as many layers or fewer"
        raise _refused(f"job {taken.job}: {error}", pointer="/from/interpolate", hint=hint) from error


def _sizes(loop: Loop | None) -> tuple[int, ...]:
    """How many parameters the loop may have; as many as each of its circuits has, where it climbs."""
    if loop is None:
        return (0,)
    return tuple(each.start_points.columns for each in loop.circuits if loop.climbs) or (loop.start_points.columns,)


def _measures_the_same(record: JobRecord, taken: Continuation) -> bool:
    prepared = preparation_of(record)
    observables = prepared.observables.sha256 if prepared.observables is not None else None
    return (prepared.structure.sha256, observables) == (taken.structure_sha256, taken.observables_sha256)


def _settings(document: JobDocument) -> tuple[Optimizer, int] | None:
    """The optimiser as it is set, apart from how long it goes on, and how many runs it has."""
    algorithm: Qaoa | Vqe | None = getattr(document, "algorithm", None)
    if algorithm is None:
        return None
    optimizer = algorithm.optimizer
    alike = msgspec.structs.replace(optimizer, rounds=1, patience=msgspec.UNSET, min_improvement=msgspec.UNSET)
    return alike, starts_of(algorithm)


def _missing(then: JobRecord, after: int) -> str:
    checkpoint, taken = then.checkpoint, then.continues
    done = len(checkpoint.history) if checkpoint is not None else 0
    if then.is_over:
        return f"job {then.job_id} ended before it could go on after round {after}"
    if done < after or (checkpoint is not None and checkpoint.phase == "sweep"):
        return f"job {then.job_id} has done {done} rounds so far"
    if taken is not None:
        return f"job {then.job_id} itself goes on from job {taken.job} after its round {taken.round}"
    return f"the log keeps job {then.job_id} from its round {done} on only"


def _refused(
    reason: str, *, pointer: str = "/from/job", hint: str = "name another job, or leave out `from`"
) -> DocumentError:
    return DocumentError(Problem(pointer=pointer, reason=reason[:2_000], hint=hint))
