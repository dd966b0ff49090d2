"""What ran for a tree of jobs as one account: nothing lost, in whatever order its children end, and bounded."""

from __future__ import annotations

import math
from datetime import timedelta

import msgspec
import pytest
from control_plane_cases import NOON, at
from hypothesis import given
from hypothesis import strategies as st
from test_closing import cut
from test_family import BASELINE, after, end, started
from test_verdict import ended

from quire_contracts import limits
from quire_contracts.family import FamilyGathered
from quire_contracts.ran import Ran, RanAt
from quire_contracts.record import evolve
from quire_control_plane.decide import decide
from quire_control_plane.verdict import trust
from quire_control_plane.verdict.ran import ran_by, together

AT = st.builds(
    RanAt,
    target=st.sampled_from(("qiskit:aer", "ibm:one", "simulation")),
    calibration_id=st.just("monday"),
    runs=st.integers(1, 50),
    earlier=st.integers(0, 50),
    last_at=st.integers(0, 100).map(lambda second: NOON + timedelta(seconds=second)),
    simulator=st.booleans(),
)
ACCOUNTS = st.builds(
    Ran,
    jobs=st.just(1),
    runs=st.integers(0, 50),
    failed=st.integers(0, 50),
    fault_codes=st.lists(st.sampled_from("abc"), unique=True).map(tuple),
    at=st.lists(AT, max_size=3, unique_by=lambda each: each.target).map(tuple),
    seconds=st.integers(0, 100).map(float),
    samplings=st.just(1),
    repeats=st.sampled_from((0.5, 1.0)),
)


def whole(accounts):
    """All of them as one."""
    made = None
    for each in accounts:
        made = together(made, each)
    return made


@given(st.lists(ACCOUNTS, min_size=2, max_size=6), st.randoms())
def test_in_whatever_order_accounts_are_put_together_nothing_is_lost(accounts, chance):
    one = whole(accounts)
    shuffled = [*accounts]
    chance.shuffle(shuffled)
    assert whole(shuffled) == one
    assert (one.jobs, one.runs) == (len(accounts), sum(each.runs for each in accounts))
    runs = sum(at.runs + at.earlier for each in accounts for at in each.at)
    assert sum(at.runs + at.earlier for at in one.at) == runs
    assert one.repeats == math.prod(each.repeats for each in accounts)


def test_of_two_calibrations_the_earlier_ones_runs_are_counted_as_such():
    monday = RanAt(target="ibm:one", calibration_id="monday", runs=3, earlier=1, last_at=NOON)
    tuesday = RanAt(target="ibm:one", calibration_id="tuesday", runs=2, last_at=NOON + timedelta(days=1))
    (joined,) = together(Ran(at=(tuesday,)), Ran(at=(monday,))).at
    assert (joined.calibration_id, joined.runs, joined.earlier) == ("tuesday", 2, 4)


def test_an_account_of_many_targets_and_faults_is_bounded():
    many = [
        Ran(runs=1, failed=1, fault_codes=(f"code-{k}",), at=(RanAt(target=f"ibm:q{k}", runs=1, last_at=NOON),))
        for k in range(100)
    ]
    made = whole(many)
    assert (made.runs, made.failed) == (100, 100)
    assert (len(made.at), len(made.fault_codes)) == (limits.TARGETS_TOLD_APART, limits.FAULTS_TOLD_APART)


def test_a_loops_account_has_its_runs_and_the_chance_that_it_says_itself():
    record = ended(3.0, hits=3)
    ran, confidence = ran_by(record), record.result.verdict.confidence
    assert (ran.jobs, ran.runs, ran.failed, ran.samplings) == (1, len(record.executions), 0, 1)
    assert ran.repeats == confidence.parts[0].value < 1.0
    assert ran.seconds == record.result.verdict.quantum_seconds


def test_the_verdict_of_a_family_speaks_of_all_that_ran_for_its_children():
    family = evolve(started(2, baseline=BASELINE, sense="max", to_come=1), kind="optimize")
    at_aer = RanAt(target="qiskit:aer", runs=3, earlier=1, last_at=NOON)
    one = Ran(jobs=1, runs=4, at=(at_aer,), samplings=1, repeats=0.25)
    two = Ran(jobs=1, runs=4, failed=2, fault_codes=("lost",), at=(msgspec.structs.replace(at_aer, earlier=0, runs=4),))
    family = after(family, end(family, 0, ran=one), end(family, 1, ran=two))
    gathered = FamilyGathered(job_id=family.job_id, tenant=family.tenant, step=0, result=cut(3.0))
    verdict = decide(family, gathered, at(5)).record.result.verdict
    parts = {part.name: part for part in verdict.confidence.parts}
    assert parts["errors"].value == 8 / 10
    assert "2 of 10 runs failed (in 2 jobs): lost" in parts["errors"].why
    assert parts["health"].value == pytest.approx(1 - 0.5 * 1 / 8)
    assert parts["samples"].value == 0.25
    assert (verdict.shots, verdict.cost_usd) == (family.shots, family.cost_usd)


def test_the_mean_chance_of_many_samplings_does_not_vanish():
    assert trust.samples_of_all(Ran(samplings=200, repeats=0.5**200)).value == pytest.approx(0.5)
    assert trust.samples_of_all(Ran()).value is None
