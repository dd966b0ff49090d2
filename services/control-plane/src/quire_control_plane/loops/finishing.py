"""How a loop ends: with the best it has seen or the classical answer, once that is there or known not to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_contracts.record import awaits_baseline, baseline_of
from quire_contracts.result import OptimizeResult, Quality
from quire_contracts.so_far import is_better, objective_of, provisional
from quire_control_plane.endings.accepting import answered
from quire_control_plane.endings.awaiting import await_baseline
from quire_control_plane.endings.ending import complete_with_baseline, fail, unanswered
from quire_control_plane.loops import minimum
from quire_control_plane.loops.state import checkpoint_of

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_contracts.task import TaskScored
    from quire_contracts.value import Fault
    from quire_control_plane.change import Change, Moment


def finish(
    record: JobRecord, moment: Moment, answer: TaskScored | None, *, reason: str = "", fault: Fault | None = None
) -> Change:
    """End the loop as `finish_now` does, once its baseline is there or known not to come."""
    if answer is None and awaits_baseline(record):
        return await_baseline(record, moment, "end", reason=reason, fault=fault)
    return finish_now(record, moment, answer, reason=reason, fault=fault)


def finish_now(
    record: JobRecord, moment: Moment, answer: TaskScored | None, *, reason: str = "", fault: Fault | None = None
) -> Change:
    """End the loop with the best assignment seen, or the least energy; with a `reason`, the job is degraded.

    Without any sample yet, or any that is feasible, the classical baseline is the answer; so it is where a loop ends
    before its time and the baseline is the better of the two. Where there is neither, the job fails with the `fault`.
    """
    if provisional(record) is None and (answer is None or record.kind == "optimize"):
        return fail(record, moment, fault or unanswered(record, reason or "no quantum sample was taken"))
    if record.kind == "minimize":
        return minimum.finish(record, moment, answer, reason)
    checkpoint, baseline, early = checkpoint_of(record), baseline_of(record), bool(reason)
    if record.best is None:
        return complete_with_baseline(record, moment, reason or "no quantum sample was taken")
    if not record.best.feasible:
        reason = reason or "no quantum sample was feasible"
        if baseline is not None and baseline.feasible:
            return complete_with_baseline(record, moment, reason)
    sense, unit = objective_of(record)
    if early and baseline is not None and is_better(baseline, record.best, sense):
        return complete_with_baseline(record, moment, reason)
    figures = answer.quality.figures if answer is not None else None
    result = OptimizeResult(
        best=record.best,
        history=checkpoint.history,
        baseline=baseline,
        baseline_seconds=record.baseline_seconds,
        method_seconds=record.method_seconds,
        quality=figures or Quality(),
        parameters=checkpoint.best_parameters,
        stopped=checkpoint.stopped,
        sense=sense,
        unit=unit,
        screened=checkpoint.screened,
    )
    return answered(record, moment, result, reason=reason)
