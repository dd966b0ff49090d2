"""The engine's answers checked by Aer: what is chosen, what counts as wrong, and what a wrong answer leads to."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from quire_gpu_simulation.aer_executor import AerExecutor
from quire_gpu_simulation.budget import MemoryBudget
from quire_gpu_simulation.cross_check import chosen_rows, compare, implausible, is_chosen
from quire_gpu_simulation.executor import SimulationExecutor
from quire_gpu_simulation.limits import Limits
from quire_quantum.counts import pack, unpack
from quire_quantum.executor import Member, MemberOutcome, Outcome, Work
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import expectation, group, normalise, without_final_measurements
from quire_quantum.structure import Operation
from quire_resilience.clock import SystemClock
from quire_testing.executor_suite import PAIR, TURN, TURN_MEASURED, ExecutorSuite

AER = AerExecutor(Limits(), SystemClock())
ZZ = (normalise({"ZZ": 1.0, "XX": 0.5}, 2),)
ROWS = np.array([[0.3], [1.2], [2.5]])


class Engine:
    """Plain state vectors in the engine's place; `bent` is added to its angles, `shifted` to its values."""

    precision = "double"

    def __init__(self, *, bent=0.0, bent_probabilities=None, shifted=0.0):
        self.bent, self.shifted, self.runs = bent, shifted, 0
        self.bent_probabilities = bent if bent_probabilities is None else bent_probabilities

    def execute(self, work):
        self.runs += 1
        members = tuple(Member(member.parameters + self.bent, member.seed, member.first) for member in work.members)
        outcome = FakeExecutor("simulation").execute(Work(work.structure, members, work.shots, work.observables))
        found = [self._reduced(work, each) if work.reduced else self._moved(each) for each in outcome.members]
        return Outcome(tuple(found), outcome.execution)

    def probabilities(self, structure, parameters):
        return AER.probabilities(without_final_measurements(structure), parameters + self.bent_probabilities)

    def close(self):
        """Nothing to give back."""

    def _reduced(self, work, member):
        values, errors = expectation(member.counts, work.observables, group(work.observables))
        return MemberOutcome(values=values + self.shifted, std_errors=errors)

    def _moved(self, member):
        return member if member.values is None else MemberOutcome(values=member.values + self.shifted)


def make(engine, share=1.0, meter=None):
    limits = Limits()
    return SimulationExecutor(lambda: engine, AER, limits, MemoryBudget(limits.memory_bytes), share=share, meter=meter)


class TestWithARightEngine(ExecutorSuite):
    """The port's laws with every batch checked."""

    @pytest.fixture
    def executor(self):
        return make(Engine())


EXACT = Work(PAIR, (Member(ROWS),), None, ZZ)
SAMPLED = Work(PAIR, (Member(ROWS, 3),), 2_000, ZZ)
COUNTED = Work(TURN_MEASURED, (Member(ROWS, 3), Member(ROWS, 4)), 2_000)
REDUCED = Work(PAIR, (Member(ROWS, 3),), 2_000, ZZ, reduced=True)


@pytest.mark.parametrize("work", [EXACT, SAMPLED, COUNTED, REDUCED])
def test_a_right_answer_passes(work):
    engine = Engine()
    assert compare(work, engine.execute(work), engine, AER, "double") is None
    assert make(engine).execute(work).execution.provider_metadata["cross_check"] == "same"


WRONG = {"state": {"bent": 1e-6}, "sampling": {"bent": 1.0, "bent_probabilities": 0.0}, "values": {"shifted": 0.9}}


@pytest.mark.parametrize(
    ("work", "fault"),
    [
        *((work, fault) for work in (EXACT, SAMPLED, COUNTED, REDUCED) for fault in ("state", "sampling")),
        (EXACT, "values"),
        (REDUCED, "values"),
    ],
)
def test_a_wrong_answer_is_an_alarm_a_rerun_and_the_end_of_the_engine_for_this_structure(work, fault, caplog):
    """A small error of the state, an error of the sampling alone, and one of the values alone."""
    planted, reader = Engine(**WRONG[fault]), InMemoryMetricReader()
    executor = make(planted, meter=MeterProvider([reader]).get_meter("quire"))
    with caplog.at_level(logging.ERROR, "quire.gpu_simulation"):
        outcome = executor.execute(work)
    assert work.structure.sha256 in caplog.text
    metadata = outcome.execution.provider_metadata
    assert (metadata["cross_check"], metadata["quarantined"], metadata["engine"]) == ("differs", True, "aer")
    assert outcome.execution.backend == "aer-statevector"
    expected = AER.execute(work)
    for one, other in zip(outcome.members, expected.members, strict=True):
        assert one.counts == other.counts
        assert (one.values is None) == (other.values is None)
        assert one.values is None or np.array_equal(one.values, other.values)
    again = executor.execute(work).execution.provider_metadata
    assert (planted.runs, again["quarantined"], "cross_check" in again) == (1, True, False)
    other = executor.execute(Work(TURN, (Member(ROWS),), None, (normalise({"Z": 1.0}, 1),)))
    assert planted.runs == 2, "other structures are still the engine's, and still checked"
    assert other.execution.provider_metadata["cross_check"] == "differs"
    sums = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    checks = next(metric for metric in sums if metric.name == "quire.simulation.cross_checks")
    assert [(dict(p.attributes), p.value) for p in checks.data.data_points] == [({"result": "differs"}, 2)]


def test_no_share_no_check_and_no_aer():
    executor = make(Engine(bent=1.0), share=0.0)
    assert "cross_check" not in executor.execute(EXACT).execution.provider_metadata


@given(st.integers(0, 2**31), st.floats(0.05, 0.95))
@settings(max_examples=50)
def test_what_is_checked_depends_on_the_work_alone(seed, share):
    work = Work(TURN_MEASURED, (Member(ROWS, seed),), 10)
    same = Work(TURN_MEASURED, (Member(ROWS.copy(), seed),), 10)
    assert is_chosen(work, share) == is_chosen(same, share)
    assert chosen_rows(work) == chosen_rows(same)
    assert is_chosen(work, 1.0)
    assert not is_chosen(work, 0.0)
    assert not is_chosen(work, share) or is_chosen(work, (1 + share) / 2)


def test_about_the_share_asked_for_is_checked():
    chosen = sum(is_chosen(Work(TURN_MEASURED, (Member(ROWS, seed),), 10), 0.25) for seed in range(1_000))
    assert abs(chosen - 250) < 5 * np.sqrt(1_000 * 0.25 * 0.75)


def test_counts_that_chance_allows_pass_and_others_do_not():
    probabilities = np.array([0.25, 0.5, 0.25, 0.0])
    rows = [{"00": 260, "01": 500, "10": 240}, {"00": 500, "01": 260, "10": 240}, {"00": 250, "01": 400, "11": 350}]
    counts = pack(rows, bits=2)
    said = [implausible(counts, row, probabilities, {0: 0, 1: 1}, 1e-9) for row in range(3)]
    assert said[0] is None
    assert "beyond what chance allows" in said[1]
    assert said[2] == "an outcome was drawn that is never seen"


def test_only_measured_qubits_count():
    """Qubit 1 into bit 0, nothing else: the distribution is that of qubit 1 alone."""
    probabilities = np.array([0.1, 0.2, 0.3, 0.4])
    assert implausible(pack([{"0": 300, "1": 700}], bits=1), 0, probabilities, {0: 1}, 1e-9) is None
    assert implausible(pack([{"0": 700, "1": 300}], bits=1), 0, probabilities, {0: 1}, 1e-9)


def test_work_that_is_not_the_engines_goes_to_aer_at_once():
    engine = Engine()
    early = TURN_MEASURED.with_operations((*TURN_MEASURED.operations, Operation("reset", (0,))))
    outcome = make(engine).execute(Work(early, (Member(np.array([[np.pi]]), 1),), 20))
    assert (engine.runs, unpack(outcome.members[0].counts)) == (0, [{"1": 20}])
