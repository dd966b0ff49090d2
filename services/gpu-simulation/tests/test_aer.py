"""Batches on Aer: the port's laws, closed forms, and answers that no batch mate or slice changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_gpu_simulation.aer_executor import AerExecutor
from quire_gpu_simulation.aer_runs import AerRuns
from quire_gpu_simulation.limits import Limits
from quire_gpu_simulation.slicing import Room, cuts, room
from quire_plane.sampling import draw, read_out
from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import expectation, group, normalise
from quire_quantum.structure import GATES, Angle, Operation, Structure
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import PAIR, TURN_MEASURED, ExecutorSuite, check_gate, measure

NOTHING = np.zeros((1, 0))
SHARED = AerExecutor(Limits(threads=2), SystemClock())


@pytest.fixture
def executor():
    return SHARED


class TestAer(ExecutorSuite):
    @pytest.fixture
    def executor(self):
        return SHARED


@pytest.mark.parametrize("name", GATES)
def test_every_gate_runs_with_each_rows_own_angles(executor, name):
    check_gate(executor, name)


def test_a_sweep_is_one_call_of_the_simulator(executor, monkeypatch):
    calls, original = [], AerRuns._run
    monkeypatch.setattr(
        AerRuns, "_run", lambda self, *args, **options: calls.append(1) or original(self, *args, **options)
    )
    members = tuple(Member(np.full((20, 1), 0.1 * index), index) for index in range(10))
    outcome = executor.execute(Work(TURN_MEASURED, members, 50))
    assert calls == [1]
    assert sum(member.counts.rows for member in outcome.members) == 200


def test_little_memory_makes_slices_and_the_same_counts(executor):
    wide = Structure(
        16,
        16,
        1,
        (*(Operation("ry", (q,), (Angle(0, 1.0, 0.1 * q),)) for q in range(16)), *(measure(q, q) for q in range(16))),
    )
    work = Work(wide, (Member(np.linspace(0, 3, 12)[:, None], 5), Member(np.array([[0.4]]), 6)), 300)
    small = AerExecutor(Limits(memory_mib=16, threads=1), SystemClock())
    assert room(16, 16 * 2**20, 1, keeps_probabilities=True) == Room(15, 1)
    tiny = AerExecutor(Limits(memory_mib=3, threads=1), SystemClock())
    assert room(16, 3 * 2**20, 1, keeps_probabilities=True) == Room(2, 1)
    expected = [each.counts for each in executor.execute(work).members]
    for other in (small, tiny):
        assert [each.counts for each in other.execute(work).members] == expected
        other.close()


@given(st.integers(1, 24), st.integers(1, 10**10), st.integers(1, 64), st.booleans())
def test_a_call_takes_no_more_memory_than_it_may_and_at_least_a_row(qubits, memory, threads, keeps):
    found = room(qubits, memory, threads, keeps_probabilities=keeps)
    assert found.rows >= 1
    assert 1 <= found.threads <= threads
    taken = found.threads * 16 * 2**qubits + found.rows * (16 * 2**qubits if keeps else 4096)
    assert taken <= memory or found == Room(1, 1)


@pytest.mark.parametrize("qubits", [5, 14])
def test_threads_change_no_bit_of_an_answer(executor, qubits):
    turns = [Operation("ry", (qubit,), (Angle(0, 1.0, 0.1 * qubit),)) for qubit in range(qubits)]
    pairs = [Operation("rzz", (qubit, qubit + 1), (Angle(0, 0.7),)) for qubit in range(qubits - 1)]
    structure = Structure(qubits, 0, 1, (*turns, *pairs, *turns))
    midway = Structure(2, 2, 1, (Operation("ry", (0,), (Angle(0),)), measure(0, 0), *measured_pair()))
    observables = (normalise({"Z" * qubits: 1.0, "X" * qubits: 1.0}, qubits),)
    rows = np.array([[0.3], [1.2], [2.2], [0.1], [-1.0]])
    works = [
        Work(structure, (Member(rows),), None, observables),
        Work(structure, (Member(rows, 3),), 200, observables),
        Work(midway, (Member(rows, 3), Member(rows[:1], 4)), 200),
    ]
    for threads in (1, 3):
        other = AerExecutor(Limits(threads=threads), SystemClock())
        for work in works:
            assert answers(other.execute(work)) == answers(executor.execute(work))
        other.close()


def measured_pair():
    """One qubit turned by what another was read as, and read."""
    return Operation("cx", (0, 1)), Operation("h", (0,)), measure(1, 1)


def answers(outcome):
    """What can be compared bit by bit."""
    return [each.counts if each.values is None else each.values.tolist() for each in outcome.members]


@pytest.mark.parametrize("angles", [(), (Angle(0),)])
def test_shots_followed_one_by_one_are_drawn_by_place_too(executor, angles):
    """Aer's own streams, with parameters in one run and without in a list of circuits."""
    turn = Operation("ry", (0,), angles) if angles else Operation("h", (0,))
    structure = Structure(2, 2, 1, (turn, measure(0, 0), *measured_pair()))
    rows = np.full((5, 1), 0.9)
    whole = unpack(executor.execute(Work(structure, (Member(rows, 2**31 - 1),), 100)).members[0].counts)
    pieces = (Member(rows[3:], 2**31 - 1, 3), Member(rows[:1], 2**31 - 1), Member(rows[1:3], 2**31 - 1, 1))
    last, first, middle = [unpack(each.counts) for each in executor.execute(Work(structure, pieces, 100)).members]
    assert first + middle + last == whole
    assert len({tuple(sorted(row.items())) for row in whole}) > 1


@given(st.integers(0, 60), st.integers(1, 7))
def test_slices_cover_every_row_once(rows, at_once):
    found = [row for cut in cuts(rows, at_once) for row in range(rows)[cut]]
    assert found == list(range(rows))
    assert all(cut.stop - cut.start <= at_once for cut in cuts(rows, at_once))


def test_a_state_that_does_not_fit_is_refused_before_anything_runs():
    executor = AerExecutor(Limits(max_qubits=30, memory_mib=16), SystemClock())
    with pytest.raises(Permanent) as caught:
        executor.execute(Work(wide(20, couplings=190), (Member(np.zeros((1, 1))),), 1))
    assert (caught.value.kind, caught.value.code) == ("invalid", "unsupported-width")
    assert "16 MiB" in caught.value.reason
    assert "2**10" in caught.value.reason


def wide(qubits, couplings):
    """Turned qubits, each coupled to its neighbours so often that the ends know each other."""
    turns = [Operation("ry", (qubit,), (Angle(0),)) for qubit in range(qubits)]
    pairs = [Operation("cx", (at % (qubits - 1), at % (qubits - 1) + 1)) for at in range(couplings)]
    return Structure(qubits, 1, 1, (*turns, *pairs, measure(0, 0)))


def test_sampled_values_agree_with_exact_ones(executor):
    observables = (normalise({"ZZ": 1.0, "XX": 0.5, "YY": -0.25}, 2),)
    angles = np.linspace(-2, 2, 9)[:, None]
    exact = executor.execute(Work(PAIR, (Member(angles),), None, observables)).members[0].values
    counts = executor.execute(Work(PAIR, (Member(angles, 3),), 20_000, observables)).members[0].counts
    values, errors = expectation(counts, observables, group(observables))
    assert np.all(np.abs(values - exact) < 5 * errors + 1e-12)


def test_a_measurement_in_the_middle_is_followed_shot_by_shot(executor):
    """A fair coin, read, turned over and read again: the second reading is the opposite of the first."""
    structure = Structure(1, 2, 0, (Operation("h", (0,)), measure(0, 0), Operation("x", (0,)), measure(0, 1)))
    alone = executor.execute(Work(structure, (Member(NOTHING, 1),), 2_000)).members[0].counts
    (counts,) = unpack(alone)
    assert set(counts) == {"01", "10"}
    assert abs(counts["01"] - 1_000) < 5 * np.sqrt(500)
    mates = (Member(np.zeros((3, 0)), 9), Member(NOTHING, 1))
    assert executor.execute(Work(structure, mates, 2_000)).members[1].counts == alone


def test_a_reset_on_the_way(executor):
    structure = Structure(1, 1, 0, (Operation("x", (0,)), Operation("reset", (0,)), measure(0, 0)))
    assert unpack(executor.execute(Work(structure, (Member(NOTHING, 1),), 50)).members[0].counts) == [{"0": 50}]
    averaged = Structure(1, 0, 0, (Operation("h", (0,)), Operation("reset", (0,)), Operation("x", (0,))))
    work = Work(averaged, (Member(NOTHING),), None, (normalise({"Z": 1.0}, 1),))
    assert executor.execute(work).members[0].values.tolist() == [[-1.0]]


def test_more_bits_than_a_word(executor):
    structure = Structure(2, 70, 0, (Operation("x", (0,)), measure(0, 69), measure(1, 0)))
    outcome = executor.execute(Work(structure, (Member(NOTHING, 1),), 5))
    assert unpack(outcome.members[0].counts) == [{"1" + "0" * 69: 5}]


@pytest.mark.parametrize("qubits", [13, 14, 15])
def test_a_row_is_rounded_alone_as_in_company(executor, qubits):
    """Aer fuses gates from 14 qubits on, and differently where it binds numbers itself."""
    turns = [Operation("ry", (qubit,), (Angle(0, 1.0, 0.1 * qubit),)) for qubit in range(qubits)]
    pairs = [Operation("rzz", (qubit, qubit + 1), (Angle(0, 0.7),)) for qubit in range(qubits - 1)]
    structure = Structure(qubits, 0, 1, (*turns, *pairs, *turns))
    observables = (normalise({"Z" * qubits: 1.0, "X" * qubits: 1.0}, qubits),)
    rows = np.array([[0.3], [1.2], [2.2]])
    together = executor.execute(Work(structure, (Member(rows),), None, observables)).members[0].values
    alone = [
        executor.execute(Work(structure, (Member(row[None]),), None, observables)).members[0].values[0] for row in rows
    ]
    assert np.array_equal(together, alone)


def test_a_structure_is_compiled_once(executor):
    structure = TURN_MEASURED.with_operations((Operation("s", (0,)), *TURN_MEASURED.operations))
    first = executor.execute(Work(structure, (Member(np.array([[0.3]]), 1),), 10)).execution
    again = executor.execute(Work(structure, (Member(np.array([[0.4], [0.5]]), 2),), 10)).execution
    assert (first.compile_cached, again.compile_cached) == (False, True)
    assert (again.backend, again.calibration_id, again.cost_usd) == ("aer-statevector", "none", 0.0)


def test_draws_follow_the_probabilities():
    probabilities = np.array([0.1, 0.0, 0.6, 0.3])
    states, tallies = draw(probabilities, 100_000, np.random.default_rng(1))
    assert states.tolist() == [0, 2, 3]
    assert tallies.sum() == 100_000
    expected = 100_000 * probabilities[states]
    assert np.all(np.abs(tallies - expected) < 5 * np.sqrt(expected))


@pytest.mark.parametrize("certain", [0, 3])
def test_what_is_certain_is_always_drawn(certain):
    probabilities = np.zeros(4)
    probabilities[certain] = 1 - 1e-16
    assert [each.tolist() for each in draw(probabilities, 50, np.random.default_rng(2))] == [[certain], [50]]


def test_bits_are_read_from_the_qubits_they_were_measured_from():
    states = np.array([0b01, 0b10, 0b11])
    assert read_out(states, {0: 1, 3: 0}).tolist() == [0b1000, 0b0001, 0b1001]


def test_hydrogen_at_its_ground_state(executor):
    """H2 at 0.735 angstrom, STO-3G, parity mapping: -1.857275 hartree without the nuclei."""
    weights = {
        "II": -1.052373245772859,
        "IZ": 0.39793742484318045,
        "ZI": -0.39793742484318045,
        "ZZ": -0.01128010425623538,
        "XX": 0.18093119978423156,
    }
    ansatz = Structure(2, 0, 1, (Operation("ry", (1,), (Angle(0),)), Operation("x", (0,)), Operation("cx", (1, 0))))
    angles = np.linspace(-np.pi, np.pi, 20_001)[:, None]
    values = executor.execute(Work(ansatz, (Member(angles),), None, (normalise(weights, 2),))).members[0].values
    assert abs(values.min() - -1.85727503) < 1e-6
