"""Minimisations, decided message by message: what is sent, what is told, and how each of them ends."""

from __future__ import annotations

import math

import msgspec
import pytest
from control_plane_cases import TRACEPARENT, admitted, answer, at, execution, run_task, submit

from quire_contracts import limits
from quire_contracts.intake import encode_document, parse_document
from quire_contracts.job import AbandonJob, CancelJob, JobCompleted
from quire_contracts.loop_rules import record_rules
from quire_contracts.minimum import accuracy
from quire_contracts.optimizers import Optimizer
from quire_contracts.preparation import Baseline, Columns, Estimate, JobPrepared, Loop, Preparation, Spectrum
from quire_contracts.record import JobRecord, evolve
from quire_contracts.result import MinimizeResult, Round
from quire_contracts.task import RunTask, Task, TaskQuality, TaskScored
from quire_contracts.value import Fault, inline_blob
from quire_control_plane.change import Change
from quire_control_plane.decide import decide
from quire_control_plane.loops import optimizers
from quire_control_plane.loops.continuing import Beginning, resumed, warm
from quire_control_plane.loops.optimizers.start import Start
from quire_control_plane.patience.prospects import Prospects
from quire_control_plane.submission.admission import Origin, admit, read
from quire_control_plane.tasks import matrix, numbers
from quire_testing import ManualClock

ROUNDS = 6
GROUND = -1.5
EXACT = Baseline(method="exact", value=GROUND, assignment=(), exact=True, bound=GROUND, bound_method="exact")
COLUMNS = Columns(sources=(1, 0, 0), scales=(1.0, -2.0, 0.0), offsets=(0.0, 0.5, 0.25))
OPTIMIZERS = [
    *({"name": name} for name in ("spsa", "nft", "parameter-shift")),
    {"name": "cma-es", "population": 5},
    *({"name": "scipy", "method": method} for method in ("cobyla", "nelder-mead", "powell", "l-bfgs-b")),
]


def body(precision: float = 0.0, **optimizer: object) -> bytes:
    document = {
        "kind": "minimize",
        "hamiltonian": {"ZZ": 1.0},
        "unit": "hartree",
        "seed": 5,
        "precision": precision,
        "algorithm": {"name": "vqe", "optimizer": {"name": "nft", "rounds": ROUNDS} | optimizer},
    }
    return msgspec.json.encode(document)


def prepared(
    record: JobRecord, *, shots: int | None = None, baseline: Baseline = EXACT, columns: Columns | None = None
) -> JobPrepared:
    """What preprocessing says: two parameters, three start points."""
    loop = Loop(
        start_points=matrix([(0.0, 0.0), (0.3, 0.2), (0.1, 0.4)]),
        scale=1,
        unit="hartree",
        spectra=(Spectrum(spacing=1.0, count=1),) * 2,
        columns=columns,
    )
    return JobPrepared(
        job_id=record.job_id,
        tenant=record.tenant,
        preparation=Preparation(
            structure=inline_blob(b"OPENQASM 3.0;", "text/plain"),
            qubits=2,
            parameters=None,
            observables=inline_blob(b"[]", "application/json"),
            shots=shots,
            input_sha256=record.content_sha256,
            estimate=Estimate(qubits=2, depth=3, two_qubit_gates=1, parameter_sets=2, shots=shots),
            loop=loop,
            baseline=baseline,
        ),
        baseline_seconds=0.01,
    )


def energy(a: float, b: float) -> float:
    return GROUND + 1.0 - 0.5 * (math.cos(a - 1.0) + math.cos(b + 0.5))


def told(task: Task, *, error: float | None = None) -> TaskScored:
    """The task's answer: energies, and standard errors where it was sampled."""
    points = [(row[0], row[1]) for row in numbers(task.parameters)]
    said = answer(task, [energy(*point) for point in points])
    errors = None if error is None else matrix([(error,) for _ in points])
    shots = task.parameters.rows * (task.shots or 0)
    return msgspec.structs.replace(said, std_errors=errors, quality=TaskQuality(shots=shots))


def started(document: bytes = body(), **how) -> Change:
    record = admitted(document).record
    assert record is not None
    return decide(record, prepared(record, **how), at(1))


def walk(change: Change, *, killed: bool = False, most: int = 100, error: float | None = None):
    """The record after so many answers, and the tasks that it sent; a killed control plane knows only its bytes."""
    tasks: list[Task] = []
    for tick in range(most):
        record = change.record
        assert record is not None
        if killed:
            record = msgspec.json.decode(msgspec.json.encode(record), type=JobRecord)
        if record.is_over:
            return record, tasks
        tasks.append(run_task(change))
        change = decide(record, told(tasks[-1], error=error), at(2 + tick))
    return change.record, tasks


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda each: each.get("method", each["name"]))
def test_killed_at_every_round_it_ends_with_the_same_record(optimizer) -> None:
    record, tasks = walk(started(body(**optimizer)))
    again, resent = walk(started(body(**optimizer)), killed=True)
    assert msgspec.json.encode(again) == msgspec.json.encode(record)
    assert resent == tasks
    assert isinstance(record.result, MinimizeResult)
    assert record.result.energy < energy(0.3, 0.2)


def test_the_last_task_measures_the_energy_at_the_best_parameters() -> None:
    record, tasks = walk(started())
    result = record.result
    assert isinstance(result, MinimizeResult)
    assert [task.phase for task in tasks] == ["sweep", *["round"] * ROUNDS, "final"]
    assert numbers(tasks[-1].parameters) == (result.parameters,)
    assert result.energy == energy(*result.parameters) == pytest.approx(GROUND, abs=1e-9)
    assert (result.std_error, result.unit, result.source, result.baseline) == (0.0, "hartree", "quantum", EXACT)
    assert len(result.history) == ROUNDS
    assert (result.accuracy.chemical, result.accuracy.anomaly) == (True, "")
    assert result.verdict is not None
    assert (result.verdict.call, result.verdict.proven) == ("tie", True)
    assert record.checkpoint is not None
    assert record.checkpoint.history == ()


def test_every_task_asks_for_energies_to_be_held_against_the_ground_energy() -> None:
    _, tasks = walk(started(body(0.1), shots=100))
    for task in tasks:
        assert task.scoring is not None
        assert (task.scoring.of, task.scoring.reference, task.scoring.reference_exact) == ("values", GROUND, True)
        assert (task.shots, task.observables is not None) == (100, True)


def test_a_given_ansatz_gets_its_constants_and_the_loop_its_own_parameters() -> None:
    record, tasks = walk(started(columns=COLUMNS), most=1)
    assert record is not None
    rows = numbers(tasks[0].parameters)
    assert rows == ((0.0, 0.5, 0.25), (0.2, 0.5 - 0.6, 0.25), (0.4, 0.5 - 0.2, 0.25))
    assert record.checkpoint is not None
    assert record.checkpoint.best_parameters in {(0.0, 0.0), (0.3, 0.2), (0.1, 0.4)}


@pytest.fixture
def midway():
    """`midway(baseline)`: a sampled job after three rounds."""

    def made(baseline: Baseline) -> JobRecord:
        record, _ = walk(started(body(0.1), shots=100, baseline=baseline), most=4, error=0.02)
        assert record is not None
        return record

    return made


PRODUCT = Baseline(method="product state", value=GROUND + 1.0, assignment=(), exact=False, bound=GROUND - 1.0)
FAULT = Fault(kind="unknown", code="poison", reason="it broke", next_step="report it", retryable=False)


def test_an_end_before_the_last_measurement_gives_the_least_energy_so_far(midway) -> None:
    record = midway(PRODUCT)
    ended = decide(record, AbandonJob(job_id=record.job_id, tenant=record.tenant, fault=FAULT), at(50)).record
    assert ended is not None
    result = ended.result
    assert isinstance(result, MinimizeResult)
    assert (ended.state, ended.degraded) == ("completed", True)
    assert result.energy == min(each.best for each in result.history)
    assert (result.std_error, result.source) == (0.02, "quantum")
    assert energy(*result.parameters) == result.energy


def test_an_end_before_the_last_measurement_gives_the_classical_energy_where_that_is_lower(midway) -> None:
    record = midway(EXACT)
    ended = decide(record, AbandonJob(job_id=record.job_id, tenant=record.tenant, fault=FAULT), at(50)).record
    assert ended is not None
    assert isinstance(ended.result, MinimizeResult)
    assert (ended.result.energy, ended.result.source) == (GROUND, "classical")
    assert len(ended.result.history) == 3


def test_what_was_gained_over_a_reference_is_learned_for_the_next_minimisation(midway) -> None:
    for baseline, source, gains in ((PRODUCT, "quantum", True), (EXACT, "classical", False)):
        prospects, record = Prospects(ManualClock()), midway(baseline)
        stopped = AbandonJob(job_id=record.job_id, tenant=record.tenant, fault=FAULT)
        ended = decide(record, stopped, at(50)).record
        assert ended is not None
        prospects.learn(record, ended, stopped)
        assert isinstance(ended.result, MinimizeResult)
        assert ended.result.source == source
        least = min(each.best for each in ended.result.history)
        expected = (baseline.value - least) / max(1.0, abs(baseline.value)) if gains else 0.0
        assert prospects.gain(record) == pytest.approx(expected, abs=1e-6)
        assert (prospects.gain(record) > 0) == gains


def test_an_end_before_the_first_round_gives_the_classical_reference() -> None:
    record = started().record
    assert record is not None
    ended = decide(record, AbandonJob(job_id=record.job_id, tenant=record.tenant, fault=FAULT), at(50)).record
    assert ended is not None
    assert isinstance(ended.result, MinimizeResult)
    assert (ended.result.energy, ended.result.source, ended.result.parameters) == (GROUND, "classical", ())
    assert ended.degraded
    assert "the classical baseline is the answer" in ended.reason


def test_a_cancelled_minimisation_has_no_answer() -> None:
    record = started().record
    assert record is not None
    ended = decide(record, CancelJob(job_id=record.job_id, tenant=record.tenant), at(9)).record
    assert ended is not None
    assert (ended.state, ended.result) == ("cancelled", None)


def test_an_answer_twice_changes_nothing() -> None:
    change = started()
    task = run_task(change)
    assert change.record is not None
    after = decide(change.record, told(task), at(2))
    assert after.record is not None
    again = decide(after.record, told(task), at(3))
    assert (again.record, again.says) == (None, ())


def test_an_energy_below_the_ground_is_an_anomaly_for_a_person() -> None:
    record, _ = walk(started(), most=1 + ROUNDS)
    assert record is not None
    (final,) = (pending.task for pending in record.pending)
    low = msgspec.structs.replace(told(final), values=matrix([(GROUND - 0.5,)]))
    ended = decide(record, low, at(90))
    assert ended.record is not None
    result = ended.record.result
    assert isinstance(result, MinimizeResult)
    assert "below the exact ground energy" in result.accuracy.anomaly
    assert result.accuracy.chemical is False
    assert ended.record.needs_review == result.accuracy.anomaly
    assert result.verdict is not None
    assert result.verdict.call == "inconclusive"


@pytest.mark.parametrize(
    ("error", "std_error", "chemical"),
    [
        (0.0, 0.0, True),
        (1.59e-3, 0.0, True),
        (1.7e-3, 0.0, False),
        (1e-3, 2e-4, True),
        (1e-3, 1e-3, None),
        (0.1, 0.01, False),
    ],
)
def test_chemical_accuracy_is_judged_with_the_standard_error(error, std_error, chemical) -> None:
    assert accuracy(GROUND + error, std_error, EXACT, "hartree").chemical is chemical


def test_accuracy_needs_the_unit_and_a_proof() -> None:
    assert accuracy(GROUND, 0.0, EXACT, "").chemical is None
    near = msgspec.structs.replace(EXACT, exact=False, bound=-3.0)
    found = accuracy(GROUND - 0.2, 0.0, near, "hartree")
    assert (found.chemical, found.error, found.anomaly) == (None, pytest.approx(-0.2), "")
    assert "any energy that the Hamiltonian has" in accuracy(-3.1, 0.0, near, "").anomaly
    assert accuracy(GROUND - 0.03, 0.01, EXACT, "hartree").anomaly == "", "three standard errors may be chance"


def test_the_end_says_where_the_work_ran() -> None:
    change = started()
    record, tasks = walk(change)
    assert record.result is not None
    assert record.executions[-1] == execution(tasks[-1])


def test_the_last_message_is_the_completion() -> None:
    record, _ = walk(started(), most=1 + ROUNDS)
    assert record is not None
    (final,) = (pending.task for pending in record.pending)
    said = decide(record, told(final), at(90)).says
    assert [type(say.message) for say in said] == [JobCompleted]
    assert not any(isinstance(say.message, RunTask) for say in said)


def gone_on(document: bytes, beginning: Beginning) -> tuple[JobRecord, list[Task]]:
    """A job that goes on from an earlier one."""
    submission = read(submit(document, key="job-2"), document)
    blob = inline_blob(encode_document(submission.document), "application/json")
    record = admit(None, submission, Origin(blob, TRACEPARENT, 7, beginning), at()).record
    assert record is not None
    return walk(decide(record, prepared(record), at(1)))


@pytest.mark.parametrize("after", [0, 2, ROUNDS])
def test_a_rerun_from_a_round_ends_as_the_whole_run_did(after) -> None:
    whole, tasks = walk(started())
    then, _ = walk(started(), most=1 + after)
    assert then is not None
    again = body()[:-1] + b', "from": {"job": "job-1", "round": %d}}' % after
    ended, sent = gone_on(again, resumed(then, after, parse_document(body()), parse_document(again)))
    assert isinstance(ended.result, MinimizeResult)
    assert isinstance(whole.result, MinimizeResult)
    same = ("energy", "parameters", "history", "accuracy")
    assert [getattr(ended.result, name) for name in same] == [getattr(whole.result, name) for name in same]
    assert [task.parameters for task in sent] == [task.parameters for task in tasks[1 + after :]]


def test_a_warm_start_is_at_the_best_parameters() -> None:
    whole, _ = walk(started())
    again = body(rounds=1)[:-1] + b', "from": {"job": "job-1"}}'
    _, sent = gone_on(again, warm(whole, parse_document(again)))
    assert isinstance(whole.result, MinimizeResult)
    assert [task.phase for task in sent] == ["round", "final"]
    assert numbers(sent[0].parameters)[0] == whole.result.parameters


def test_a_budget_of_shots_ends_the_loop_with_what_it_has() -> None:
    document = body(0.1)[:-1] + b', "budget": {"max_shots": 1000}}'
    record, tasks = walk(started(document, shots=100, baseline=PRODUCT), error=0.01)
    assert isinstance(record.result, MinimizeResult)
    assert (record.state, record.degraded, record.result.source) == ("completed", True, "quantum")
    assert "budget of 1000 shots" in record.reason
    assert sum(task.parameters.rows * 100 for task in tasks) <= 1000


def most_rounds(optimizer: dict[str, object], parameters: int) -> int:
    """As many as the intake lets a document have, in fifties."""
    most = limits.REPLAYED_ROUNDS if optimizer["name"] == "scipy" else limits.ROUNDS
    asked = (msgspec.convert(optimizer | {"rounds": rounds}, Optimizer) for rounds in range(most, 0, -50))
    return next(each.rounds for each in asked if not record_rules(each, parameters))


@pytest.mark.parametrize(
    ("optimizer", "parameters"),
    [
        ({"name": "cma-es"}, 64),
        ({"name": "cma-es"}, 95),
        ({"name": "spsa"}, limits.LOOP_NUMBERS // 3),
        ({"name": "nft"}, limits.LOOP_NUMBERS // 3),
        ({"name": "scipy", "method": "l-bfgs-b", "tolerance": 1e-12}, 31),
    ],
    ids=lambda each: each.get("method", each["name"]) if isinstance(each, dict) else None,
)
def test_the_record_of_the_longest_loop_that_is_let_in_fits_a_message(optimizer, parameters) -> None:
    """The record just before the last measurement is the largest: the whole history, and the optimiser's state."""
    rounds = most_rounds(optimizer, parameters)
    record = admitted(body(**optimizer, rounds=rounds)).record
    assert record is not None
    ready = prepared(record)
    rows = limits.LOOP_NUMBERS // parameters
    loop = msgspec.structs.replace(
        ready.preparation.loop,
        start_points=matrix([[0.123456789 * row] * parameters for row in range(rows)]),
        spectra=(Spectrum(spacing=1.0, count=1),) * parameters,
    )
    ready = msgspec.structs.replace(ready, preparation=msgspec.structs.replace(ready.preparation, loop=loop))
    asked = decide(record, ready, at(1)).record
    assert asked is not None
    assert asked.checkpoint is not None
    points = asked.pending[0].task.parameters
    run = optimizers.begin(
        asked.checkpoint.optimizer, Start(numbers(points)[1], rounds=rounds, seed=1, spectra=loop.spectra)
    )
    run = run.tell(tuple(sum(map(math.cos, point)) + 1 / 3 for point in run.ask()))
    dumped = run.dump()
    if optimizer["name"] == "scipy":  # whose state is its evaluations
        state = msgspec.to_builtins(run.state)
        dumped = {"name": "scipy", "state": state | {"evaluations": state["evaluations"][-1:] * rounds}}
    each = Round(round=1_000, objective=-1 / 3, best=-2 / 3, std_error=1 / 7, target="qiskit:ibm_torino")
    checkpoint = msgspec.structs.replace(
        asked.checkpoint,
        optimizer=dumped,
        best_parameters=numbers(points)[1],
        best_objective=-1 / 3,
        history=(each,) * rounds,
    )
    whole = evolve(asked, checkpoint=checkpoint, executions=(execution(asked.pending[0].task),) * 50)
    assert len(msgspec.json.encode(whole)) < limits.MESSAGE_BYTES
