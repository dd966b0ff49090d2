"""Pre-screens that choose between circuits and between start points: by which rule, and that they survive kills."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from control_plane_cases import admitted, answer, at, run_task
from loop_cases import OPTIMIZERS, ROUNDS, body, circuit, energies, said, walk, walk_as_killed

from quire_contracts import limits
from quire_contracts.appraisal import Appraisal, AppraiseWork
from quire_contracts.record import JobRecord
from quire_contracts.result import OptimizeResult
from quire_control_plane.change import Moment
from quire_control_plane.decide import decide
from quire_control_plane.tasks import numbers

CHOICE = {"candidates": [{"layers": 1}, {"layers": 2}, {"layers": 3}]}
RIVALS = [circuit(layers, gates=10 * layers) for layers in (1, 2, 3)]


def choice(record: JobRecord):
    return said(record, RIVALS, starts=2 if b"starts" in record.document.inline else 1)


def levels(*values: float):
    """Energies that depend on the circuit alone while it is screened."""

    def of(task) -> list[float]:
        level = values[task.parameters.columns // 2 - 1]
        return [level + 0.01 * row for row in range(task.parameters.rows)]

    return of


def result_of(record: JobRecord) -> OptimizeResult:
    assert isinstance(record.result, OptimizeResult)
    return record.result


@pytest.mark.parametrize("starts", [1, 2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_killed_at_every_task_a_choice_ends_with_the_same_record_and_sends_the_same_tasks(optimizer, starts) -> None:
    document = body(CHOICE | ({"starts": starts} if starts > 1 else {}), optimizer)
    record, _ = walk_as_killed(document, choice)
    assert not record.degraded


def test_each_candidate_is_one_task_and_the_best_goes_on_with_its_own_structure() -> None:
    record, tasks = walk(body(CHOICE), choice)
    sweeps = [task for task in tasks if task.phase == "sweep"]
    assert [(task.structure, task.round, task.parameters.rows) for task in sweeps] == [
        (each.structure, place, 3) for place, each in enumerate(RIVALS)
    ]
    assert {task.structure for task in tasks[3:]} == {RIVALS[2].structure}
    screened = result_of(record).screened
    assert [each.name for each in screened] == ["1 layers", "2 layers", "3 layers"]
    assert [each.two_qubit_gates for each in screened] == [10, 20, 30]
    assert [each.chosen for each in screened] == [False, False, True]
    for task, each in zip(sweeps, screened, strict=True):
        best = min(energies(task))
        assert each.objective == -best == each.expected
        assert energies(task)[each.rows[0]] == best
    assert numbers(tasks[3].parameters)[0] == numbers(RIVALS[2].start_points)[screened[2].rows[0]]
    assert record.preparation is not None
    assert record.preparation.loop is not None
    assert record.preparation.loop.circuits == ()


@pytest.mark.parametrize(
    ("values", "winner", "reason"),
    [
        ((-1.0, -2.0, -3.0), 2, "it has the best objective to expect"),
        ((-3.0, -2.0, -1.0), 0, "it has the best objective to expect"),
        ((-2.9, -2.99, -3.0), 1, "it is as good as 3 layers, and smaller"),
        ((-2.98, -2.99, -3.0), 0, "it is as good as 3 layers, and smaller"),
    ],
)
def test_a_smaller_circuit_that_is_as_good_within_a_hundredth_comes_first(values, winner, reason) -> None:
    def exact(task):
        return msgspec.structs.replace(answer(task, levels(*values)(task), best=2.0), std_errors=None)

    record = admitted(body(CHOICE)).record
    assert record is not None
    change = decide(record, choice(record), at(1))
    for tick in range(3):
        assert change.record is not None
        change = decide(change.record, exact(run_task(change)), at(2 + tick))
    assert change.record is not None
    assert change.record.checkpoint is not None
    screened = change.record.checkpoint.screened
    assert [place for place, each in enumerate(screened) if each.chosen] == [winner]
    assert screened[winner].reason == reason
    assert all(each.reason for each in screened)
    assert run_task(change).structure == RIVALS[winner].structure


def test_energies_from_shots_are_as_good_as_each_other_within_two_standard_errors() -> None:
    # each has a standard error of 0.01, so two of their difference are 0.028; a hundredth is less
    record, _ = walk(body(CHOICE), choice, of=levels(-0.95, -0.975, -1.0))
    assert [each.chosen for each in result_of(record).screened] == [False, True, False]


FIDELITIES = {1: 0.9, 2: 0.7, 3: 0.4}


def with_devices(seconds: float) -> Moment:
    """Aer stands in for a device, and its gateway says what each circuit would come to."""
    return replace(at(seconds), plain=lambda target: target != "qiskit:aer", appraised=Answers())


class Answers(dict):
    """What a gateway says of any question: gates as compiled, and the chance that nothing errs."""

    def __contains__(self, asked: object) -> bool:
        return True

    def __getitem__(self, asked: AppraiseWork) -> Appraisal:
        layers = next(place for place, each in enumerate(RIVALS, 1) if each.structure == asked.structure)
        return Appraisal(
            target=asked.target,
            parameter_sets=asked.parameter_sets,
            shots=asked.shots,
            device=True,
            depth=50 * layers,
            two_qubit_gates=40 * layers,
            compiled=True,
            fidelity=FIDELITIES[layers],
        )


def test_on_a_device_what_noise_leaves_of_a_circuit_decides() -> None:
    """-1.0 of one layer is worth 0.9 there, -1.2 of two 0.84, -1.5 of three 0.6."""
    record, _ = walk(body(CHOICE), choice, of=levels(-1.0, -1.2, -1.5), moment=with_devices)
    screened = result_of(record).screened
    assert [each.chosen for each in screened] == [True, False, False]
    assert [each.fidelity for each in screened] == [0.9, 0.7, 0.4]
    assert [each.two_qubit_gates for each in screened] == [40, 80, 120]
    assert [each.expected for each in screened] == pytest.approx([0.9, 0.84, 0.6])
    assert {each.target for each in screened} == {"qiskit:aer"}
    assert [each.two_qubit_gates for each in record.appraisals] == [40], "those of the others are dropped"


def test_a_gateway_is_asked_for_each_candidate_before_it_is_judged() -> None:
    record = admitted(body(CHOICE)).record
    assert record is not None
    asking = replace(with_devices(1), appraised={})
    change = decide(record, choice(record), asking)
    assert change.record is None
    assert [each.structure for each in change.appraise] == [RIVALS[0].structure]


def test_the_best_few_start_points_go_on_side_by_side_each_with_a_run_of_its_own() -> None:
    document = body({"layers": 1, "starts": 2})
    one, _ = walk(body({"layers": 1}), said, of=energies)
    record, tasks = walk(document, lambda record: said(record, starts=2), of=energies)
    rounds = [task for task in tasks if task.phase == "round"]
    assert len(rounds) == ROUNDS
    assert [task.parameters.rows for task in rounds] == [22, *[6] * (ROUNDS - 1)], "twice what one run of spsa has"
    sweep = tasks[0]
    best = sorted(zip(energies(sweep), numbers(sweep.parameters), strict=True))[:2]
    first = numbers(rounds[0].parameters)
    assert (first[0], first[11]) == (best[0][1], best[1][1])
    assert first[1:11] != tuple(row for row in first[12:]), "each has directions of its own"
    assert result_of(record).history[-1].best >= result_of(one).history[-1].best


def test_the_best_of_all_runs_is_what_counts() -> None:
    document = body({"layers": 1, "starts": 2})

    def second(task) -> list[float]:
        half = task.parameters.rows // 2
        if task.phase != "round":
            return [-1.0 - 0.1 * row for row in range(task.parameters.rows)]
        return [-1.0] * half + [-2.0] * half

    record, tasks = walk(document, lambda record: said(record, starts=2), of=second)
    assert [each.objective for each in result_of(record).history] == [2.0] * ROUNDS
    rounds = [task for task in tasks if task.phase == "round"]
    assert result_of(record).parameters == numbers(rounds[0].parameters)[11]


def test_a_run_that_has_converged_asks_no_more_and_the_others_go_on() -> None:
    settings = {"name": "scipy", "method": "l-bfgs-b", "tolerance": 0.5, "rounds": 40}

    def uneven(task) -> list[float]:
        if task.phase == "sweep":
            return [-0.3, -0.2, -0.1]
        return energies(task)

    record, tasks = walk(body({"layers": 1, "starts": 3}, settings), lambda record: said(record, starts=3), of=uneven)
    rows = [task.parameters.rows for task in tasks if task.phase == "round"]
    assert rows[0] == 15
    assert rows == sorted(rows, reverse=True)
    assert result_of(record).stopped == f"scipy has converged: {len(rows)} of 40 rounds"


def test_the_record_of_the_widest_choice_fits_a_message() -> None:
    rivals = [circuit(layers, gates=layers, starts=2_048 // 8 // (2 * layers)) for layers in range(25, 33)]
    record = admitted(body({"candidates": [{"layers": layers} for layers in range(25, 33)]})).record
    assert record is not None
    change = decide(record, said(record, rivals), at(1))
    assert change.record is not None
    assert len(msgspec.json.encode(change.record)) < 0.5 * limits.MESSAGE_BYTES
