"""The fake executor passes the suite that every executor passes, and follows measurements in the middle."""

import numpy as np
import pytest

from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work, WorkError
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import ObservableError, normalise
from quire_quantum.structure import Angle, Operation, Structure
from quire_testing.executor_suite import ExecutorSuite, measure

ONE_ROW = np.zeros((1, 0))


class TestFakeExecutor(ExecutorSuite):
    @pytest.fixture
    def executor(self):
        return FakeExecutor()


def test_a_measurement_in_the_middle_keeps_its_value_while_the_qubit_goes_on():
    structure = Structure(
        1, 2, 1, (Operation("ry", (0,), (Angle(0),)), measure(0, 0), Operation("x", (0,)), measure(0, 1))
    )
    outcome = FakeExecutor().execute(Work(structure, (Member(np.array([[np.pi / 2]]), 1),), 1_000))
    (counts,) = unpack(outcome.members[0].counts)
    assert set(counts) == {"01", "10"}
    assert 400 < counts["01"] < 600


def test_a_reset_leaves_the_other_half_of_a_bell_pair_mixed():
    bell_then_reset = (Operation("h", (0,)), Operation("cx", (0, 1)), Operation("reset", (0,)))
    structure = Structure(2, 2, 0, (*bell_then_reset, measure(0, 0), measure(1, 1)))
    (counts,) = unpack(FakeExecutor().execute(Work(structure, (Member(ONE_ROW, 1),), 1_000)).members[0].counts)
    assert set(counts) == {"00", "10"}
    observables = (normalise({"ZI": 1.0}, 2), normalise({"IZ": 1.0}, 2))
    exact = FakeExecutor().execute(Work(Structure(2, 0, 0, bell_then_reset), (Member(ONE_ROW),), None, observables))
    np.testing.assert_allclose(exact.members[0].values, [[0.0, 1.0]], atol=1e-12)


def test_an_observable_on_a_circuit_that_measures_early_is_refused():
    structure = Structure(1, 1, 0, (measure(0, 0), Operation("h", (0,))))
    observables = (normalise({"Z": 1.0}, 1),)
    for shots in (None, 100):
        with pytest.raises(ObservableError, match="measures before its end"):
            FakeExecutor().execute(Work(structure, (Member(ONE_ROW),), shots, observables))


@pytest.mark.parametrize(
    ("members", "shots", "match"),
    [
        ((Member(np.zeros((1, 2))),), 10, "do not fit"),
        ((Member(np.zeros(1)),), 10, "do not fit"),
        ((Member(np.array([[np.nan]])),), 10, "not finite"),
        ((), 10, "at least one member"),
        ((Member(np.zeros((1, 1))),), None, "need observables"),
        ((Member(np.zeros((1, 1))),), 0, "positive"),
    ],
)
def test_work_that_cannot_be_done_is_refused_before_any_executor_sees_it(members, shots, match):
    structure = Structure(1, 1, 1, (Operation("ry", (0,), (Angle(0),)), measure(0, 0)))
    with pytest.raises(WorkError, match=match):
        Work(structure, members, shots)


def test_too_many_qubits_are_refused():
    wide = Structure(13, 1, 0, (measure(0, 0),))
    with pytest.raises(WorkError, match="12 qubits"):
        FakeExecutor().execute(Work(wide, (Member(ONE_ROW),), 10))
