"""The variational loop of a job: a sweep of start points, rounds of the optimiser, a last sampling or estimate.

Each step is a function of the record and an answer; the checkpoint it writes holds all that the next one needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quire_contracts.control import LoopAdvanced
from quire_contracts.record import Checkpoint, awaits_baseline, evolve
from quire_contracts.result import Round
from quire_control_plane.budget.spending import TooDear
from quire_control_plane.budget.worth import way_of
from quire_control_plane.change import Change, Moment, Say
from quire_control_plane.dispatch.issuing import issue
from quire_control_plane.endings.awaiting import await_baseline
from quire_control_plane.endings.ending import reject
from quire_control_plane.loops import optimizers
from quire_control_plane.loops.circuits import alone, has_rivals, step_of, uses
from quire_control_plane.loops.climbing import first_point, last_round, layers_of, next_step
from quire_control_plane.loops.continuing import mismatch
from quire_control_plane.loops.finishing import finish
from quire_control_plane.loops.optimizers.start import Start
from quire_control_plane.loops.screening import best_rows, chosen, seen
from quire_control_plane.loops.state import checkpoint_of, loop_of
from quire_control_plane.patience.speculating import declined, prospect, watched
from quire_control_plane.tasks import made_for_structure, matrix, numbers, planned_shots
from quire_control_plane.timings import quantum_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.continuation import Continuation
    from quire_contracts.preparation import Loop
    from quire_contracts.record import JobRecord
    from quire_contracts.task import TaskScored
    from quire_contracts.value import Matrix, Phase
    from quire_control_plane.loops.optimizers import Run
    from quire_control_plane.loops.optimizers.start import Points


def begin(record: JobRecord, moment: Moment) -> Change:
    """Start a prepared loop: evaluate the start points at once, or go straight to a round if there is one or none.

    One that goes on from an earlier job has none to choose from.
    """
    record = uses(record, checkpoint_of(record).circuit)
    if record.continues is not None:
        return _continued(record, record.continues, moment)
    loop = loop_of(record)
    if loop.start_points.rows > 1 or has_rivals(loop):
        return _issue(record, "sweep", 0, loop.start_points, moment)
    return _started(record, numbers(loop.start_points), moment)


def advance(record: JobRecord, answer: TaskScored, moment: Moment) -> Change:
    """Take the answer of the task that the loop waited for, and go on.

    Raises:
        ValueError: if the answer lacks the values that its task asked for.
    """
    if answer.phase == "sweep":
        return _after_sweep(record, answer, moment)
    if answer.phase == "round":
        return _after_round(record, answer, moment)
    return finish(record, moment, answer)


def _continued(record: JobRecord, taken: Continuation, moment: Moment) -> Change:
    """Go on where an earlier job was; refuse what it has not got."""
    wrong = mismatch(record, taken)
    if wrong is not None:
        return reject(record, moment, wrong)
    record = alone(record)
    if taken.resumes:
        return _go_on(record, optimizers.resume(checkpoint_of(record).optimizer), moment)
    step = step_of(loop_of(record), len(taken.parameters))
    return _started(record if step is None else uses(record, step), (taken.parameters,), moment)


def _after_sweep(record: JobRecord, answer: TaskScored, moment: Moment) -> Change:
    """Go on from the best start points; of several circuits to the next one, and from the best points of the best."""
    loop, energies = loop_of(record), _energies(answer)
    if not has_rivals(loop):
        return _started(record, _at(record, best_rows(energies, loop.starts)), moment)
    way = way_of(record, "round", 1, moment)
    if way.missing:
        return Change(appraise=way.missing)
    record, checkpoint = way.record, checkpoint_of(way.record)
    screened = (*checkpoint.screened, seen(record, energies, _errors(answer), way.route.targets[0]))
    record = evolve(record, checkpoint=msgspec.structs.replace(checkpoint, screened=screened))
    if len(screened) < len(loop.circuits):
        record = uses(record, len(screened))
        return _issue(record, "sweep", len(screened), loop_of(record).start_points, moment)
    record, rows = chosen(record)
    return _started(record, _at(record, rows), moment)


def _at(record: JobRecord, rows: Sequence[int]) -> Points:
    """Some of the start points of the circuit in use."""
    points = numbers(loop_of(record).start_points)
    return tuple(points[row] for row in rows)


def _after_round(record: JobRecord, answer: TaskScored, moment: Moment) -> Change:
    checkpoint, loop = checkpoint_of(record), loop_of(record)
    scale = loop.scale
    run = optimizers.resume(checkpoint.optimizer)
    points, energies = run.ask(), _energies(answer)
    told, row = run.tell(energies), run.stands(energies)
    errors = _errors(answer)
    lowest = min(range(len(points)), key=lambda row: (energies[row], row))
    best, parameters = checkpoint.best_objective, checkpoint.best_parameters
    best_error, best_circuit = checkpoint.best_std_error, checkpoint.best_circuit
    if best is None or energies[lowest] < scale * best:  # best is an objective, scale * energy
        best, parameters = scale * energies[lowest], points[lowest]
        best_error, best_circuit = errors[lowest] if errors else None, checkpoint.circuit
    finished = Round(
        round=checkpoint.round,
        objective=scale * energies[row],
        best=best,
        std_error=errors[row] if errors else None,
        target=answer.executions[0].target if answer.executions else "simulation",
        layers=layers_of(loop),
    )
    checkpoint = msgspec.structs.replace(
        checkpoint,
        optimizer=told.dump(),
        best_parameters=parameters,
        best_objective=best,
        best_std_error=best_error,
        best_circuit=best_circuit,
        history=(*checkpoint.history, finished),
    )
    said = LoopAdvanced(job_id=record.job_id, tenant=record.tenant, rounds=checkpoint.rounds, round=finished)
    change = _go_on(evolve(record, checkpoint=checkpoint), told, moment)
    return change if change.appraise else Change(change.record, (Say(said), *change.says))


def _started(record: JobRecord, points: Points, moment: Moment) -> Change:
    """Ask fresh optimiser runs, one from each of these points, for their first round."""
    checkpoint, loop = checkpoint_of(record), loop_of(record)
    left = max(1, last_round(checkpoint, loop) - checkpoint.round)
    settings = checkpoint.settings or checkpoint.optimizer
    starts = [
        Start(point, rounds=left, seed=record.seed + number, spectra=loop.spectra)
        for number, point in enumerate(points)
    ]
    run = optimizers.begin(settings, *starts)
    checkpoint = msgspec.structs.replace(checkpoint, optimizer=run.dump(), settings=settings if loop.climbs else {})
    if checkpoint.best_objective is None:
        checkpoint = msgspec.structs.replace(checkpoint, best_parameters=points[0], best_circuit=checkpoint.circuit)
    return _go_on(evolve(record, checkpoint=checkpoint), run, moment)


def _go_on(record: JobRecord, run: Run, moment: Moment) -> Change:
    """The next round's points as one task; where there is none, the next step of a climb, or the last sampling."""
    checkpoint, loop = checkpoint_of(record), loop_of(record)
    over = checkpoint.round >= last_round(checkpoint, loop)
    stalled = "" if over else _stalled(checkpoint, loop)
    points = () if over or stalled else run.ask()
    if not points:
        step = next_step(checkpoint, loop)
        if step is not None:
            return _started(uses(record, step), (first_point(checkpoint, loop, step),), moment)
        return _sample_best(record, "" if over else stalled or f"{run.called} has converged", moment)
    round_ = checkpoint.round + 1
    asked = evolve(record, checkpoint=msgspec.structs.replace(checkpoint, phase="round", round=round_))
    return _issue(asked, "round", round_, matrix(points), moment)


def _stalled(checkpoint: Checkpoint, loop: Loop) -> str:
    """Why the loop ends for want of progress; empty while it goes on.

    What counts is where the rounds stood: a shifted point that happens to be low says nothing of the descent. Each step
    of a climb has its own patience.
    """
    patience = checkpoint.patience
    if patience is None:
        return ""
    here = [each for each in checkpoint.history if each.layers == layers_of(loop)]
    if len(here) <= patience:
        return ""
    energies = [loop.scale * each.objective for each in here]
    gained = min(energies[:-patience]) - min(energies[-patience:])
    return f"nothing better in {patience} rounds" if gained <= checkpoint.min_improvement else ""


def _sample_best(record: JobRecord, stopped: str, moment: Moment) -> Change:
    """The last sampling or estimate, at the best parameters seen; `stopped` says why before the last round."""
    checkpoint = checkpoint_of(record)
    if stopped:
        stopped = f"{stopped}: {checkpoint.round} of {checkpoint.rounds} rounds"
    ended = msgspec.structs.replace(checkpoint, phase="final", stopped=stopped)
    last = uses(evolve(record, checkpoint=ended), checkpoint.best_circuit)
    return await_baseline(last, moment, "sample") if awaits_baseline(last) else sample_last(last, moment)


def sample_last(record: JobRecord, moment: Moment) -> Change:
    """Send the last sampling or estimate, which is scored by the baseline if there is one."""
    checkpoint = checkpoint_of(record)
    return _issue(record, "final", checkpoint.rounds + 1, matrix([checkpoint.best_parameters]), moment)


def _issue(record: JobRecord, phase: Phase, round_: int, parameters: Matrix, moment: Moment) -> Change:
    """Send a task on its way unless the budget forbids it; then the loop ends with what it has."""
    shots = record.shots + planned_shots(record, parameters.rows)
    if record.max_shots is not None and shots > record.max_shots:
        return finish(record, moment, None, reason=f"the budget of {record.max_shots} shots ends the loop")
    if record.max_usd is not None and record.cost_usd > record.max_usd:
        return finish(record, moment, None, reason=f"the budget of {record.max_usd} USD ends the loop")
    if record.max_seconds is not None and quantum_seconds(record) >= record.max_seconds:
        return finish(record, moment, None, reason=f"the budget of {record.max_seconds:g} seconds ends the loop")
    found = prospect(record, phase, parameters.rows, moment)
    if not found.choice.waits:
        return finish(declined(record, moment, found), moment, None, reason=found.choice.reason)
    try:
        issued = issue(record, phase, round_, made_for_structure(parameters, loop_of(record).columns), moment)
    except TooDear as dear:
        return finish(dear.record, moment, None, reason=dear.reason, fault=dear.fault)
    return watched(issued, moment)


def _energies(answer: TaskScored) -> tuple[float, ...]:
    if answer.values is None:
        raise ValueError(f"task {answer.task_id} has no values")
    return tuple(row[0] for row in numbers(answer.values))


def _errors(answer: TaskScored) -> tuple[float, ...]:
    """Of the energies; none where they are exact."""
    return tuple(row[0] for row in numbers(answer.std_errors)) if answer.std_errors is not None else ()
