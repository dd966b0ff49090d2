"""The engine behind the port: the port's laws, Qiskit's answers, independence bit for bit, statistics, reduction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp, Statevector

from quire_gpu_simulation.engine import cpu, kernel
from quire_gpu_simulation.engine.cpu import CpuBackend
from quire_gpu_simulation.engine.executor import EngineExecutor
from quire_gpu_simulation.engine.team import Team
from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import expectation, group, normalise
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum.structure import Angle, Operation, Structure
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.circuits import plain_state, random_structure
from quire_testing.executor_suite import TURN_MEASURED, ExecutorSuite, measure

MEMORY = 256 * 2**20
SHARED = EngineExecutor(CpuBackend(Team(2, MEMORY)), SystemClock())
SINGLE = EngineExecutor(CpuBackend(Team(1, MEMORY), np.float32), SystemClock())
ROWS = np.array([[0.7, -1.9, 2.4], [0.1, 0.2, 0.3]])
NOTHING = np.zeros((1, 0))


@pytest.fixture
def executor():
    return SHARED


class TestEngine(ExecutorSuite):
    @pytest.fixture
    def executor(self):
        return SHARED


class TestEngineInSinglePrecision(ExecutorSuite):
    @pytest.fixture
    def executor(self):
        return SINGLE


def test_two_hundred_random_circuits_against_qiskit(executor):
    """Widths around a vector and around the block of low bits, every gate, values of random Pauli sums."""
    generator = np.random.default_rng(11)
    for number in range(200):
        width = int(generator.integers(1, 11 if number % 10 == 0 else 6))
        structure = random_structure(generator, width, int(generator.integers(0, 40)))
        circuit = to_circuit(structure)
        state = Statevector(circuit.assign_parameters({each: ROWS[0][each.index] for each in circuit.parameters}))
        np.testing.assert_allclose(executor.probabilities(structure, ROWS)[0], state.probabilities(), atol=1e-10)
        sums = [random_sum(generator, width, 5) for _ in range(3)]
        work = Work(structure, (Member(ROWS),), None, tuple(normalise(each, width) for each in sums))
        expected = [state.expectation_value(SparsePauliOp(list(each), list(each.values()))).real for each in sums]
        np.testing.assert_allclose(executor.execute(work).members[0].values[0], expected, atol=1e-10)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(0, 30))
@settings(max_examples=40)
def test_any_circuit_has_its_gates_state(seed, width, gates):
    structure = random_structure(np.random.default_rng(seed), width, gates)
    expected = [abs(plain_state(structure, row)) ** 2 for row in ROWS]
    np.testing.assert_allclose(SHARED.probabilities(structure, ROWS), expected, atol=1e-10)


def test_many_observables_are_valued_by_transforms_as_few_are_by_tables(executor):
    structure = random_structure(np.random.default_rng(2), 11, 60)
    labels = ["".join(np.random.default_rng(k).choice(list("IZXY" if k % 3 else "IZ"), 11)) for k in range(70)]
    observables = tuple(normalise({label: 1.0 + k}, 11) for k, label in enumerate(labels))
    together = executor.execute(Work(structure, (Member(ROWS),), None, observables)).members[0].values
    each = [executor.execute(Work(structure, (Member(ROWS),), None, (one,))).members[0].values for one in observables]
    np.testing.assert_allclose(together, np.concatenate(each, axis=1), atol=1e-11)


@pytest.mark.parametrize("kind", ["counts", "exact", "reduced", "observed"])
def test_a_rows_answer_is_the_same_bit_for_bit_whatever_runs_beside_it(kind, monkeypatch):
    """Alone, among mates, in blocks of one row, on one thread or three."""
    structure = random_structure(np.random.default_rng(4), 9, 120)
    member = Member(np.random.default_rng(5).uniform(-3, 3, (5, 3)), 77)
    mates = [Member(np.random.default_rng(seed).uniform(-3, 3, (seed, 3)), seed) for seed in (6, 7)]
    alone = bits_of(SHARED.execute(work_of(kind, structure, (member,))).members[0])
    assert bits_of(SHARED.execute(work_of(kind, structure, (mates[0], member, mates[1]))).members[1]) == alone
    monkeypatch.setattr(cpu, "BLOCK_SECONDS", 1e-9)
    for threads in (1, 3):
        other = EngineExecutor(CpuBackend(Team(threads, MEMORY)), SystemClock())
        assert bits_of(other.execute(work_of(kind, structure, (*mates, member))).members[2]) == alone
        other.close()


@pytest.mark.parametrize(("width", "shots"), [(2, 20_000), (8, 5_000), (13, 3_000), (14, 100_000)])
def test_counts_follow_the_probabilities(executor, width, shots):
    """Chi-squared of fifty rows together, in cells of one outcome and of several."""
    structure = random_structure(np.random.default_rng(width), width, 12 * width)
    probabilities = executor.probabilities(structure, ROWS[:1])[0]
    measured = structure.with_operations((*structure.operations, *(measure(q, q) for q in range(width))), width)
    work = Work(measured, (Member(np.repeat(ROWS[:1], 50, axis=0), 3),), shots)
    counts = executor.execute(work).members[0].counts
    found = np.bincount(counts.words()[:, 0].astype(int), counts.tallies, 1 << width)
    assert found.sum() == 50 * shots
    assert not found[probabilities == 0].any()
    expected = 50 * shots * probabilities
    order = np.argsort(expected)
    bins = np.minimum(np.cumsum(expected[order]) / (50 * shots) * 200, 199).astype(int)
    seen, due = np.bincount(bins, found[order], 200), np.bincount(bins, expected[order], 200)
    kept = due > 20
    squared = ((seen - due)[kept] ** 2 / due[kept]).sum()
    freedom = kept.sum() - 1
    assert abs(squared - freedom) < 5 * np.sqrt(2 * max(freedom, 1))


def test_rows_and_circuits_draw_independently(executor):
    """Equal rows: the correlation of neighbours' counts is that of chance."""
    work = Work(TURN_MEASURED, (Member(np.full((4_000, 1), 1.2), 5),), 64)
    counts = executor.execute(work).members[0].counts
    ones = np.array([row["1"] for row in unpack(counts)], float)
    ones -= ones.mean()
    assert abs((ones[1:] * ones[:-1]).mean() / ones.var()) < 5 / np.sqrt(4_000)
    expected = 64 * np.sin(0.6) ** 2 * np.cos(0.6) ** 2
    assert abs(ones.var() / expected - 1) < 5 * np.sqrt(2 / 4_000)


def test_without_a_seed_no_two_runs_agree(executor):
    work = Work(TURN_MEASURED, (Member(np.full((40, 1), 1.2)), Member(np.full((40, 1), 1.2))), 1_000)
    answers = [member.counts.to_bytes() for _ in range(2) for member in executor.execute(work).members]
    assert len(set(answers)) == 4


def test_bits_are_read_from_the_measured_qubits_only(executor):
    """Qubit 3 into bit 0, qubit 0 into bit 4, out of a state with all qubits entangled or turned."""
    operations = (
        Operation("h", (0,)), *(Operation("cx", (0, q)) for q in (1, 2)), Operation("ry", (3,), (Angle(0),)),
        measure(3, 0), measure(0, 4),
    )  # fmt: skip
    work = Work(Structure(4, 6, 1, operations), (Member(np.array([[2.0]]), 1),), 20_000)
    (counts,) = unpack(executor.execute(work).members[0].counts)
    high = np.sin(1.0) ** 2
    expected = {"000000": (1 - high) / 2, "010000": (1 - high) / 2, "000001": high / 2, "010001": high / 2}
    assert set(counts) == set(expected)
    for outcome, share in expected.items():
        assert abs(counts[outcome] - 20_000 * share) < 5 * np.sqrt(20_000 * share)


def test_a_circuit_that_measures_nothing_reads_zeros(executor):
    structure = Structure(2, 3, 0, (Operation("h", (0,)),))
    assert unpack(executor.execute(Work(structure, (Member(NOTHING, 1),), 7)).members[0].counts) == [{"000": 7}]


@pytest.mark.parametrize("shots", [1, 2, 700])
@pytest.mark.parametrize("width", [3, 13])
def test_reduced_answers_are_those_of_the_counts(executor, width, shots):
    """Thirteen qubits' tables would be too large for thirty observables: their values are worked out shot by shot."""
    generator = np.random.default_rng(8)
    structure = random_structure(generator, width, 60)
    sums = [random_sum(generator, width, 4) for _ in range(30 if width > 3 else 3)]
    observables = (normalise({"I" * width: 2.0}, width), *(normalise(each, width) for each in sums))
    members = (Member(np.repeat(ROWS, 2, axis=0), 5), Member(ROWS, 6))
    counted = executor.execute(Work(structure, members, shots, observables)).members
    reduced = executor.execute(Work(structure, members, shots, observables, reduced=True)).members
    for full, brief in zip(counted, reduced, strict=True):
        values, errors = expectation(full.counts, observables, group(observables))
        assert brief.counts is None
        np.testing.assert_allclose(brief.values, values, atol=1e-12)
        np.testing.assert_allclose(brief.std_errors, errors, atol=1e-12)


def test_single_precision_is_near_double(executor):
    generator = np.random.default_rng(12)
    for width in (1, 3, 4, 5, 9, 12):
        structure = random_structure(generator, width, 80)
        observables = tuple(normalise(random_sum(generator, width, 4), width) for _ in range(3))
        work = Work(structure, (Member(ROWS),), None, observables)
        double, single = (each.execute(work).members[0].values for each in (executor, SINGLE))
        np.testing.assert_allclose(single, double, atol=1e-5)
        assert single.dtype == np.float64
    assert (executor.precision, SINGLE.precision) == ("double", "single")


def test_a_memory_of_one_state_runs_one_row_after_the_other():
    """The same answers from a team that may hold a single row of three threads' work."""
    structure = random_structure(np.random.default_rng(3), 14, 30)
    work = work_of("exact", structure, (Member(np.linspace(0, 3, 36).reshape(12, 3)),))
    small = EngineExecutor(CpuBackend(Team(3, 1)), SystemClock())
    assert bits_of(small.execute(work).members[0]) == bits_of(SHARED.execute(work).members[0])
    small.close()


def test_what_has_no_single_state_is_not_for_the_engine(executor):
    early = Structure(1, 2, 0, (measure(0, 0), Operation("h", (0,)), measure(0, 1)))
    reset = Structure(1, 1, 0, (Operation("h", (0,)), Operation("reset", (0,)), measure(0, 0)))
    assert [executor.supports(each) for each in (TURN_MEASURED, early, reset)] == [True, False, False]
    with pytest.raises(Permanent) as caught:
        executor.execute(Work(early, (Member(NOTHING, 1),), 5))
    assert (caught.value.kind, caught.value.code) == ("invalid", "unsupported-circuit")


def test_a_structure_is_compiled_once_for_a_question(executor):
    structure = TURN_MEASURED.with_operations((Operation("s", (0,)), *TURN_MEASURED.operations))
    first = executor.execute(Work(structure, (Member(np.array([[0.3]]), 1),), 10)).execution
    again = executor.execute(Work(structure, (Member(np.array([[0.4], [0.5]]), 2),), 10)).execution
    assert (first.compile_cached, again.compile_cached) == (False, True)
    assert (again.backend, again.provider_metadata["precision"]) == ("quire-engine", "double")


def test_each_precision_is_compiled_once(executor):
    """A plan whose arrays had other types would cost ten seconds of compiling in the middle of work."""
    structure = random_structure(np.random.default_rng(4), 3, 20)
    for engine in (executor, SINGLE):
        for kind in ("counts", "exact", "reduced", "observed"):
            engine.execute(work_of(kind, structure, (Member(ROWS, 1),)))
        engine.probabilities(structure, ROWS)
    assert len(kernel.run.signatures) == 2


def random_sum(generator, width, terms):
    return {"".join(generator.choice(list("IXYZ"), width)): float(generator.normal()) for _ in range(terms)}


def work_of(kind, structure, members):
    width = structure.num_qubits
    observables = tuple(normalise(random_sum(np.random.default_rng(seed), width, 6), width) for seed in (1, 2))
    if kind == "counts":
        every = (*structure.operations, *(measure(qubit, width - 1 - qubit) for qubit in range(width)))
        return Work(structure.with_operations(every, width), members, 300)
    return Work(structure, members, None if kind == "exact" else 300, observables, reduced=kind == "reduced")


def bits_of(outcome):
    arrays = (outcome.values, outcome.std_errors)
    return outcome.counts.to_bytes() if outcome.counts else b"".join(a.tobytes() for a in arrays if a is not None)
