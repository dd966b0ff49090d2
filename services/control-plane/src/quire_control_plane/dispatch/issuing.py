"""From a job and a set of parameters to a task on its way: its target, its seed, its place in the job."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Final

from quire_contracts.record import Decision, JobRecord, Pending, baseline_of, evolve
from quire_contracts.task import Expected, RunTask, Scoring, Task
from quire_control_plane.budget.spending import away, within_budget
from quire_control_plane.budget.worth import figures_of as worth_of
from quire_control_plane.budget.worth import way_of
from quire_control_plane.change import Change, Moment, Say, reach, seconds_later
from quire_control_plane.dispatch import steps
from quire_control_plane.patience.speculating import outlook
from quire_control_plane.tasks import noted, preparation_of
from quire_policy.patience import figures_of

if TYPE_CHECKING:
    from quire_contracts.preparation import Loop, Preparation
    from quire_contracts.value import Matrix, Phase

_NAMESPACE: Final = uuid.UUID("b3c5d8c0-6f0f-5f52-8f1e-0a5f0d9f5c11")


def issue(record: JobRecord, phase: Phase, round_: int, parameters: Matrix, moment: Moment) -> Change:
    """Send a new task on its way, or hold it where no target takes work; the record then waits for it.

    The task's id and seed are functions of the job, phase and round alone, so that deciding again gives the same task.
    What its targets would make of it is asked first (`Change.appraise`), where that is not known.

    Raises:
        TooDear: no target takes it for what is left of the job's budget.
    """
    prepared = preparation_of(record)
    record, facts, route, missing = way_of(record, phase, parameters.rows, moment)
    if missing:
        return Change(appraise=missing)
    route, unpriced = within_budget(record, route, parameters.rows, moment)
    task = Task(
        task_id=str(uuid.uuid5(_NAMESPACE, f"{record.tenant}|{record.job_id}|{phase}|{round_}")),
        job_id=record.job_id,
        tenant=record.tenant,
        phase=phase,
        round=round_,
        structure=prepared.structure,
        qubits=prepared.qubits,
        parameters=parameters,
        observables=prepared.observables,
        shots=_replayed_shots(record) or route.shots or prepared.shots,
        seed=_task_seed(record, phase, round_) if record.seeded else None,
        target=route.targets[0],
        fallbacks=tuple(route.targets[1:]),
        priority=record.priority,
        deadline_at=record.deadline_at,
        scoring=_scoring(record, prepared, phase),
        mitigation=prepared.mitigation,
        kernel=prepared.kernel if phase == "main" else None,
        fresh=record.replay is not None,
        late=moment.patience(facts).late,
    )
    decision = Decision(
        at=moment.now,
        task_id=task.task_id,
        target=task.target,
        fallbacks=task.fallbacks,
        rules=route.rules,
        reasons=route.reasons,
        shots=route.shots,
        delay_seconds=route.delay_seconds,
        figures=figures_of(outlook(record, task.target, facts, moment)) | worth_of(record, task.target, moment),
    )
    pending = Pending(task=task, since=moment.now, tried=(task.target,), away=away(unpriced, moment))
    record = evolve(record, decisions=noted(record.decisions, decision))
    if unpriced or moment.down(task.target, record.tenant) is not None:
        return steps.begin(record, pending, moment)
    waiting = reach(record, "submitted", moment, pending=(*record.pending, pending))
    return Change(waiting, (Say(RunTask(task=task), at=seconds_later(moment, route.delay_seconds)),))


def _replayed_shots(record: JobRecord) -> int | None:
    """Those that the job ran with that this one repeats, where somebody had lowered them."""
    return record.replay.shots if record.replay is not None else None


def _task_seed(record: JobRecord, phase: Phase, round_: int) -> int:
    """31 bits, the width that every simulator's seed has."""
    digest = hashlib.sha256(f"{record.seed}|{phase}|{round_}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _scoring(record: JobRecord, prepared: Preparation, phase: Phase) -> Scoring | None:
    if prepared.loop is None:
        return None
    found = baseline_of(record)
    baseline = found if found is not None and found.feasible else None
    return Scoring(
        scale=prepared.loop.scale,
        reference=baseline.value if baseline else None,
        reference_exact=baseline.exact if baseline else False,
        worst=baseline.worst if baseline else None,
        bound=found.bound if found else None,
        best=record.best,
        problem=prepared.loop.problem,
        expected=_expected(record, prepared.loop) if phase == "final" else None,
        of="values" if record.kind == "minimize" else "samples",
        cvar=prepared.loop.cvar,
    )


def _expected(record: JobRecord, loop: Loop) -> Expected | None:
    """The mean energy that the best parameters had in the round that found them, and where; of a tail it is no mean."""
    checkpoint, best = record.checkpoint, record.checkpoint.best_objective if record.checkpoint else None
    if checkpoint is None or best is None or checkpoint.best_std_error is None or loop.cvar is not None:
        return None
    target = next((each.target for each in checkpoint.history if each.best == best), None)
    return Expected(loop.scale * best, checkpoint.best_std_error, target) if target is not None else None
