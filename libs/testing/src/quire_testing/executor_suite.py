"""What every executor must do: one behaviour suite that the real ones and the fake all pass.

Subclass it in an executor's tests and give the executor by a fixture:

    class TestFake(ExecutorSuite):
        @pytest.fixture
        def executor(self):
            return FakeExecutor()

Every check asks statistical questions with a fixed seed, so an executor that passes once passes always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import expectation, group, normalise
from quire_quantum.structure import GATES, Angle, Operation, Structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_contracts.value import Observable
    from quire_quantum.executor import Executor, Outcome

SHOTS = 4_096
_NONE = np.zeros((1, 0))


def measure(qubit: int, bit: int) -> Operation:
    """Shorthand for one measurement."""
    return Operation("measure", (qubit,), (), (bit,))


BELL = Structure(2, 2, 0, (Operation("h", (0,)), Operation("cx", (0, 1)), measure(0, 0), measure(1, 1)))
FLIP = Structure(2, 2, 0, (Operation("x", (0,)), measure(0, 0), measure(1, 1)))
CROSSED = Structure(3, 2, 0, (Operation("x", (0,)), measure(0, 1), measure(2, 0)))
TURN = Structure(1, 0, 1, (Operation("ry", (0,), (Angle(0),)),))
TURN_MEASURED = TURN.with_operations((*TURN.operations, measure(0, 0)), num_bits=1)
PAIR = Structure(2, 0, 1, (Operation("ry", (0,), (Angle(0),)), Operation("cx", (0, 1))))
AFFINE = Structure(1, 0, 1, (Operation("ry", (0,), (Angle(0, 2.0, 0.5),)),))


def check_gate(executor: Executor, name: str) -> None:
    """A canonical gate means its matrix, with each row's own angles: exact values of two rows against the fake's.

    It stands between turns that make every part of its matrix visible; a binding that is left out would show.
    """
    shape = GATES[name]
    gate = Operation(name, tuple(range(shape.qubits)), tuple(Angle(index, 2.0, 0.3) for index in range(shape.angles)))
    spread = [Operation("ry", (qubit,), (Angle(0, 0.5, 0.4 + qubit),)) for qubit in range(3)]
    turned = [Operation("h", (qubit,)) for qubit in range(3)] + [Operation("t", (1,))]
    structure = Structure(3, 0, 3, (*turned, *spread, gate, *turned))
    observables = tuple(normalise({label: 1.0}, 3) for label in ("IIZ", "IZI", "XII", "YXI", "ZZY"))
    rows = np.array([[0.1, 0.2, 0.3], [1.7, 0.8, -2.9]])
    found = _values(executor, structure, rows, observables)
    np.testing.assert_allclose(found, _values(FakeExecutor(), structure, rows, observables), atol=1e-9, err_msg=name)


class ExecutorSuite:
    """The port's laws as tests; a subclass provides the `executor` fixture."""

    tolerance = 5.0
    """Allowed distance from the exact value in standard errors; a noisy executor's test raises it."""

    @pytest.fixture
    def executor(self) -> Executor:
        """The executor under test."""
        raise LookupError("a subclass provides the executor")

    def test_bell_gives_equal_halves_and_nothing_else(self, executor: Executor) -> None:
        """Only 00 and 11, each near a half."""
        (counts,) = _counts(executor.execute(Work(BELL, (Member(_NONE, 7),), SHOTS)))
        assert set(counts) == {"00", "11"}
        assert abs(counts["00"] - SHOTS / 2) < self.tolerance * np.sqrt(SHOTS) / 2

    def test_qubit_0_is_the_right_most_bit(self, executor: Executor) -> None:
        """X on qubit 0 of 2 reads 01."""
        assert _counts(executor.execute(Work(FLIP, (Member(_NONE, 7),), 100))) == [{"01": 100}]

    def test_bits_follow_the_classical_register_not_the_qubits(self, executor: Executor) -> None:
        """Qubit 0 measured into bit 1, qubit 2 into bit 0, qubit 1 not at all."""
        assert _counts(executor.execute(Work(CROSSED, (Member(_NONE, 7),), 100))) == [{"10": 100}]

    def test_an_unmeasured_bit_reads_zero(self, executor: Executor) -> None:
        """Three bits declared, one measured."""
        structure = Structure(2, 3, 0, (Operation("x", (1,)), measure(1, 1)))
        assert _counts(executor.execute(Work(structure, (Member(_NONE, 7),), 50))) == [{"010": 50}]

    def test_each_parameter_set_is_a_row_in_order(self, executor: Executor) -> None:
        """A turn by 0, pi and 0 again."""
        work = Work(TURN_MEASURED, (Member(np.array([[0.0], [np.pi], [0.0]]), 7),), 200)
        assert _counts(executor.execute(work)) == [{"0": 200}, {"1": 200}, {"0": 200}]

    def test_shots_are_complete_in_every_row_of_every_member(self, executor: Executor) -> None:
        """Totals are the shots asked for, members keep their order and number of rows."""
        work = Work(TURN_MEASURED, (Member(_angles(0.3, 1.1, 2.0), 1), Member(_angles(0.7), 2)), 777)
        members = executor.execute(work).members
        assert [outcome.counts.shots.tolist() for outcome in members if outcome.counts] == [[777] * 3, [777]]

    def test_a_seed_repeats_the_counts_whoever_shares_the_batch(self, executor: Executor) -> None:
        """Alone, first of two, or last of two: the same member gives the same counts."""
        member, mate = Member(_angles(0.9, 1.3), 11), Member(_angles(0.2, 2.2, 1.0), 5)
        alone = executor.execute(Work(TURN_MEASURED, (member,), SHOTS)).members[0]
        first = executor.execute(Work(TURN_MEASURED, (member, mate), SHOTS)).members[0]
        last = executor.execute(Work(TURN_MEASURED, (mate, member), SHOTS)).members[1]
        assert alone.counts == first.counts == last.counts

    def test_a_row_is_drawn_by_its_place_in_the_task_wherever_that_was_cut(self, executor: Executor) -> None:
        """A task of five rows whole, and cut after the second and the third: the same counts, row by row."""
        angles = _angles(0.9, 0.9, 1.3, 0.9, 2.0)
        cuts = [slice(0, 5)], [slice(0, 2), slice(2, 5)], [slice(3, 5), slice(0, 1), slice(1, 3)]
        found = []
        for pieces in cuts:
            members = tuple(Member(angles[piece], 5, piece.start) for piece in pieces)
            answers = executor.execute(Work(TURN_MEASURED, members, 500)).members
            counts = {piece.start: each.counts for piece, each in zip(pieces, answers, strict=True)}
            found.append([row for _, each in sorted(counts.items()) if each is not None for row in unpack(each)])
        assert len(found[0]) == len(angles)
        assert found[0] == found[1] == found[2]

    def test_other_seeds_and_rows_draw_other_counts(self, executor: Executor) -> None:
        """Equal angles, yet no two runs share their random numbers."""
        work = Work(TURN_MEASURED, (Member(_angles(1.0, 1.0), 1), Member(_angles(1.0, 1.0), 2)), SHOTS)
        ones = [row["1"] for row in _counts(executor.execute(work))]
        assert len(set(ones)) > 1

    def test_exact_values_are_the_closed_form(self, executor: Executor) -> None:
        """<Z> = cos and <X> = sin of the angle after ry."""
        if not executor.capabilities().exact:
            pytest.skip("this executor has no exact values")
        angles = np.linspace(-3, 3, 7)
        observables = (normalise({"Z": 1.0}, 1), normalise({"X": 2.0, "I": 0.5}, 1))
        values = _values(executor, TURN, _angles(*angles), observables)
        np.testing.assert_allclose(values, np.stack([np.cos(angles), 2 * np.sin(angles) + 0.5], axis=1), atol=1e-6)

    def test_affine_angles_are_scaled_and_shifted(self, executor: Executor) -> None:
        """ry(2 p0 + 0.5)."""
        if not executor.capabilities().exact:
            pytest.skip("this executor has no exact values")
        values = _values(executor, AFFINE, _angles(0.1, 0.7), (normalise({"Z": 1.0}, 1),))
        np.testing.assert_allclose(values[:, 0], np.cos([0.7, 1.9]), atol=1e-6)

    def test_terms_that_do_not_commute_are_estimated_within_their_errors(self, executor: Executor) -> None:
        """Cos ry|00>, cx gives <ZZ> = 1, <IZ> = cos, <XX> = sin, <YY> = -sin: two or more bases are needed."""
        angles = np.array([0.4, 1.2, 2.5])
        observables = (normalise({"ZZ": 0.5, "IZ": 1.0, "XX": -0.7}, 2), normalise({"YY": 1.0, "II": 3.0}, 2))
        exact = np.stack([0.5 + np.cos(angles) - 0.7 * np.sin(angles), 3 - np.sin(angles)], axis=1)
        grouping = group(observables)
        member = executor.execute(Work(PAIR, (Member(_angles(*angles), 3),), SHOTS, observables)).members[0]
        assert member.counts is not None
        assert member.counts.rows == len(angles) * len(grouping.bases)
        assert len(grouping.bases) > 1
        values, errors = expectation(member.counts, observables, grouping)
        assert np.all(np.abs(values - exact) < self.tolerance * errors + 1e-12)
        assert np.all(errors < 3 / np.sqrt(SHOTS))

    def test_standard_errors_match_the_spread_of_repetitions(self, executor: Executor) -> None:
        """Forty equal rows scatter by about their own standard error."""
        observables = (normalise({"Z": 1.0}, 1),)
        work = Work(TURN, (Member(_angles(*[1.1] * 40), 9),), 500, observables)
        counts = executor.execute(work).members[0].counts
        assert counts is not None
        values, errors = expectation(counts, observables, group(observables))
        assert 0.6 < values.std(ddof=1) / errors.mean() < 1.6

    def test_the_execution_says_what_ran(self, executor: Executor) -> None:
        """Target, circuit, shots and parameter sets are reported as they were."""
        execution = executor.execute(Work(TURN_MEASURED, (Member(_angles(0.3, 1.1), 1),), 100)).execution
        assert execution.target == executor.capabilities().target
        assert execution.circuit_sha256 == TURN_MEASURED.sha256
        assert (execution.shots, execution.parameter_sets) == (100, 2)


def _angles(*values: float) -> NDArray[np.float64]:
    return np.array(values)[:, None]


def _counts(outcome: Outcome) -> list[dict[str, int]]:
    return [row for member in outcome.members if member.counts for row in unpack(member.counts)]


def _values(
    executor: Executor, structure: Structure, rows: NDArray[np.float64], observables: tuple[Observable, ...]
) -> NDArray[np.float64]:
    (outcome,) = executor.execute(Work(structure, (Member(rows),), None, observables)).members
    assert outcome.values is not None
    return outcome.values
