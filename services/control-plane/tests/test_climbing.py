"""A loop that climbs from one layer to more: its steps, where each begins, and that it survives a kill anywhere."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from control_plane_cases import admitted, answer, at, run_task
from loop_cases import OPTIMIZERS, ROUNDS, body, circuit, energies, said, walk, walk_as_killed

from quire_contracts.continuation import Continuation
from quire_contracts.intake import parse_document
from quire_contracts.loop_rules import ANGLE_BYTES, CIRCUIT_BYTES
from quire_contracts.preparation import Spectrum
from quire_contracts.record import JobRecord, evolve
from quire_contracts.result import OptimizeResult
from quire_contracts.task import RunTask
from quire_contracts.value import BlobRef
from quire_control_plane.decide import decide
from quire_control_plane.loops.continuing import resumed, taken_over
from quire_control_plane.loops.stretching import stretched
from quire_control_plane.tasks import numbers

LAYERS = 3
CLIMB = {"layers": LAYERS, "initialisation": "interpolated"}
STEPS = [circuit(1), *(circuit(layers, starts=1) for layers in range(2, LAYERS + 1))]


def climb(record: JobRecord):
    return said(record, STEPS, climbs=True)


def outcome(document: bytes, **how) -> tuple[OptimizeResult, list]:
    record, tasks = walk(document, climb, **how)
    assert isinstance(record.result, OptimizeResult)
    return record.result, tasks


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_killed_at_every_round_a_climb_ends_with_the_same_record_and_sends_the_same_tasks(optimizer) -> None:
    document = body(CLIMB, optimizer)
    record, _ = walk_as_killed(document, climb)
    assert not record.degraded


def test_each_step_has_its_own_circuit_and_its_share_of_the_rounds() -> None:
    result, tasks = outcome(body(CLIMB))
    assert [each.layers for each in result.history] == [1] * 2 + [2] * 4 + [3] * 6
    rounds = [task for task in tasks if task.phase == "round"]
    assert [task.round for task in rounds] == list(range(1, ROUNDS + 1))
    assert [STEPS.index(next(s for s in STEPS if s.structure == task.structure)) + 1 for task in rounds] == [
        each.layers for each in result.history
    ]
    assert [task.phase for task in tasks] == ["sweep", *["round"] * ROUNDS, "final"]
    assert tasks[0].structure == STEPS[0].structure


def test_a_step_begins_at_the_best_angles_so_far_stretched_to_its_layers() -> None:
    _, tasks = outcome(body(CLIMB))
    best: tuple[float, tuple[float, ...]] | None = None
    for before, task in itertools.pairwise(tasks[1:-1]):
        found = min(zip(energies(before), numbers(before.parameters), strict=True))
        best = found if best is None else min(best, found)
        if task.parameters.columns > before.parameters.columns:
            assert numbers(task.parameters)[0] == stretched(best[1], task.parameters.columns // 2)


def test_the_last_sampling_is_of_the_best_circuit_even_where_that_is_a_shallow_one() -> None:
    def shallow(task) -> list[float]:
        return [-1.0 / task.parameters.columns] * task.parameters.rows

    result, tasks = outcome(body(CLIMB), of=shallow)
    assert tasks[-1].phase == "final"
    assert tasks[-1].structure == STEPS[0].structure
    assert (len(result.parameters), result.history[-1].layers) == (2, LAYERS)
    assert numbers(tasks[-1].parameters) == (result.parameters,)


def test_a_step_without_progress_leaves_its_rounds_to_the_next() -> None:
    def flat(task) -> list[float]:
        return [-float(task.parameters.columns)] * task.parameters.rows

    result, _ = outcome(body(CLIMB, {"patience": 2}), of=flat)
    assert [each.layers for each in result.history] == [1] * 2 + [2] * 3 + [3] * 3
    assert result.stopped == f"nothing better in 2 rounds: 8 of {ROUNDS} rounds"


def test_several_runs_begin_a_climb_and_the_best_of_them_goes_on() -> None:
    document = body(CLIMB | {"starts": 2})
    record, tasks = walk(document, lambda record: said(record, STEPS, climbs=True, starts=2), killed=True)
    assert isinstance(record.result, OptimizeResult)
    rows = [(task.parameters.columns, task.parameters.rows) for task in tasks if task.phase == "round"]
    assert rows == [(2, 22), (2, 6), (4, 11), *[(4, 3)] * 3, (6, 11), *[(6, 3)] * 5]
    best = min(pair for task in tasks[1:3] for pair in zip(energies(task), numbers(task.parameters), strict=True))
    assert numbers(tasks[3].parameters)[0] == stretched(best[1], 2)


def test_the_checkpoint_says_which_step_it_is_at() -> None:
    record = admitted(body(CLIMB)).record
    assert record is not None
    ended, _ = walk(body(CLIMB), climb)
    assert ended.checkpoint is not None
    assert (ended.checkpoint.circuit, ended.checkpoint.best_circuit) == (2, 2)
    assert ended.preparation is not None
    assert ended.preparation.structure == STEPS[2].structure
    assert ended.preparation.estimate == STEPS[2].estimate


def after(document: bytes, rounds: int) -> JobRecord:
    """The record of a climb when it had done so many rounds."""
    record = admitted(document).record
    assert record is not None
    change = decide(record, climb(record), at(1))
    for tick in range(100):
        assert change.record is not None
        assert change.record.checkpoint is not None
        if change.record.checkpoint.phase == "round" and len(change.record.checkpoint.history) == rounds:
            return change.record
        task = run_task(change)
        change = decide(change.record, answer(task, energies(task), best=2.0), at(2 + tick))
    pytest.fail("it has fewer rounds")


@pytest.mark.parametrize("rounds", range(ROUNDS))
def test_a_climb_goes_on_from_any_round_of_an_earlier_one_as_if_it_were_the_same(rounds) -> None:
    document = body(CLIMB)
    whole, _ = outcome(document)
    parsed = parse_document(document)
    beginning = resumed(after(document, rounds), rounds, parsed, parsed)
    assert beginning.taken.resumes
    fresh = admitted(document, key="job-2").record
    assert fresh is not None
    record, tasks = walk(document, climb, record=taken_over(fresh, beginning))
    assert isinstance(record.result, OptimizeResult)
    assert record.result.parameters == whole.parameters
    assert record.result.history == whole.history
    assert len([task for task in tasks if task.phase == "round"]) == ROUNDS - rounds


@pytest.mark.parametrize(("parameters", "layers"), [(2, 1), (4, 2), (6, 3)])
def test_a_warm_start_climbs_from_the_layers_it_has(parameters, layers) -> None:
    document = body(CLIMB)
    record = admitted(document).record
    assert record is not None
    taken = Continuation(job="earlier", parameters=(0.25,) * parameters, structure_sha256="0" * 64)
    record, tasks = walk(document, climb, record=evolve(record, continues=taken))
    assert tasks[0].phase == "round"
    assert tasks[0].structure == STEPS[layers - 1].structure
    assert numbers(tasks[0].parameters)[0] == (0.25,) * parameters
    assert isinstance(record.result, OptimizeResult)
    assert {each.layers for each in record.result.history} == set(range(layers, LAYERS + 1))


def test_a_warm_start_with_more_layers_than_the_climb_is_refused() -> None:
    record = admitted(body(CLIMB)).record
    assert record is not None
    taken = Continuation(job="earlier", parameters=(0.25,) * 8, structure_sha256="0" * 64)
    change = decide(evolve(record, continues=taken), climb(record), at(1))
    assert not any(isinstance(say.message, RunTask) for say in change.says)
    assert change.record is not None
    assert change.record.state == "rejected"
    assert [problem.pointer for problem in change.record.problems] == ["/from/job"]


def test_the_circuits_of_a_climb_take_no_more_room_than_the_rules_count() -> None:
    for layers in (1, 8, 32):
        sha256 = "0" * 64
        step = msgspec.structs.replace(
            circuit(layers, starts=1),
            structure=BlobRef(sha256=sha256, size=20_000, media_type="application/vnd.quire.structure+qasm"),
            spectra=(Spectrum(spacing=1.2345678901234567, count=12),) * (2 * layers),
        )
        assert len(msgspec.json.encode(step)) <= CIRCUIT_BYTES + ANGLE_BYTES * 2 * layers
