"""Mitigated work: every scale of noise is valued, and extrapolated to none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quire_contracts.mitigation import Mitigation, Readout, Zne
from quire_contracts.value import Fault
from quire_plane.admission import admit
from quire_plane.content import keys
from quire_plane.mitigation import folding_alone, needless, valued
from quire_quantum.counts import concatenate
from quire_quantum.executor import Capabilities, Member, MemberOutcome, Outcome, Work
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import normalise
from quire_quantum.structure import Operation
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import PAIR, TURN_MEASURED

ZZ, XI = normalise({"ZZ": 1.0, "II": 0.5}, 2), normalise({"XI": 1.0}, 2)
ZNE = Mitigation(zne=Zne(scale_factors=(1.0, 3.0)))
ANGLES = np.array([[0.3], [1.1]])


def work_of(mitigation, **changes):
    member = Member(ANGLES, seed=3)
    return replace(Work(PAIR, (member,), 2_000, (ZZ, XI), reduced=True, mitigation=mitigation), **changes)


class Fading:
    """An executor whose counts forget everything by a share for each scale of noise."""

    def __init__(self, kept):
        self.kept, self.works = kept, []

    async def __call__(self, work):
        self.works.append(work)
        plain = replace(work, mitigation=None, reduced=False)
        executor, groups = FakeExecutor("fake"), len(plain.circuits())
        lost = executor.execute(replace(plain, members=(Member(ANGLES + np.pi / 2, seed=3),)))  # any other counts
        outcome = executor.execute(plain)
        tables = []
        for row in range(len(ANGLES)):
            for scale in work.scales or (1.0,):
                keep = self.kept ** (scale - 1)
                tables += [(row * groups + group, keep) for group in range(groups)]
        counts = _blended(outcome.members[0].counts, lost.members[0].counts, tables)
        return Outcome((MemberOutcome(counts=counts),), outcome.execution)


def _blended(good, bad, tables):
    from quire_quantum.counts import pack, unpack

    mine, other = unpack(good), unpack(bad)
    rows = []
    for row, keep in tables:
        total = {}
        for share, counts in ((keep, mine[row]), (1 - keep, other[row])):
            for outcome, tally in counts.items():
                total[outcome] = total.get(outcome, 0) + round(1_000 * share * tally)
        rows.append(total)
    return concatenate([pack(rows, bits=good.bits)])


async def test_each_scale_is_valued_by_itself_and_extrapolated():
    work, perform = work_of(ZNE), Fading(0.9)
    outcome = await folding_alone(work, perform, None)
    (found,) = outcome.members
    assert perform.works == [work]
    assert found.counts is None
    assert found.values.shape == found.std_errors.shape == (2, 2)
    plain = valued(work_of(Mitigation()), await Fading(0.9)(work_of(None)))
    folded = await Fading(0.9**2)(work_of(Mitigation(zne=Zne(scale_factors=(1.0, 2.0)))))
    third = valued(work_of(Mitigation()), _only_second(folded, 2))
    expected = plain.members[0].values * 1.5 - third.members[0].values * 0.5  # the line through 1 and 3, at 0
    np.testing.assert_allclose(found.values, expected, atol=1e-12)


def _only_second(outcome, groups):
    from quire_quantum.counts import select_rows

    counts = outcome.members[0].counts
    rows = np.arange(counts.rows).reshape(-1, 2, groups)[:, 1].ravel()
    return replace(outcome, members=(MemberOutcome(counts=select_rows(counts, rows)),))


def test_a_member_that_did_not_run_keeps_its_fault():
    fault = Fault("transient", "execution-failed", "it did not run", "Run it again.", retryable=True)
    execution = FakeExecutor("fake").execute(work_of(None)).execution
    (member,) = valued(work_of(ZNE), Outcome((MemberOutcome(fault=fault),), execution)).members
    assert (member.fault, member.values) == (fault, None)


async def test_scales_count_as_they_were_reached():
    performed = await Fading(0.9)(work_of(ZNE))
    as_asked = valued(work_of(ZNE), replace(performed, scales=(1.0, 3.0)))
    reached = valued(work_of(ZNE), replace(performed, scales=(1.0, 2.0)))
    assert "zne_reached" not in as_asked.execution.mitigation
    assert reached.execution.mitigation["zne_reached"] == "1 2"
    assert (reached.members[0].values != as_asked.members[0].values).any()


async def test_a_circuit_of_too_few_gates_is_valued_as_it_is_and_says_so():
    performed = await Fading(0.9)(work_of(ZNE))
    found = valued(work_of(ZNE), replace(performed, scales=(1.0, 1.0)))
    plain = valued(work_of(Mitigation()), await Fading(0.9)(work_of(None)))
    np.testing.assert_array_equal(found.members[0].values, plain.members[0].values)
    assert found.execution.mitigation["zne_applied"] is False


async def test_what_was_done_stands_in_the_execution():
    outcome = await folding_alone(work_of(ZNE), Fading(1.0), None)
    assert outcome.execution.mitigation == {
        "applied": True,
        "zne_scale_factors": "1 3",
        "zne_extrapolation": "linear",
        "zne_folding": "gates",
    }


async def test_without_noise_the_work_is_left_as_it_is():
    perform = Fading(1.0)
    outcome = await needless(work_of(Mitigation(readout=Readout(), zne=Zne())), perform, None)
    assert [each.mitigation for each in perform.works] == [None]
    assert outcome.members[0].values.shape == (2, 2)
    assert outcome.execution.mitigation["applied"] is False


async def test_reading_cannot_be_mitigated_without_being_measured():
    with pytest.raises(Permanent) as caught:
        await folding_alone(work_of(Mitigation(readout=Readout())), Fading(1.0), None)
    assert caught.value.code == "unsupported-mitigation"


async def test_samples_that_are_scored_are_not_mitigated():
    with pytest.raises(Permanent) as caught:
        await folding_alone(work_of(ZNE, reduced=False), Fading(1.0), None)
    assert caught.value.code == "unsupported-mitigation"


def test_mitigated_work_shares_no_answers_with_other_work():
    plain, zne = work_of(None), work_of(ZNE)
    other = work_of(Mitigation(zne=Zne(scale_factors=(1.0, 5.0))))
    assert len({keys("x", each)[0] for each in (plain, zne, other)}) == 3


@pytest.mark.parametrize(
    ("mitigation", "can"),
    [
        (ZNE, {"places": True}),
        (Mitigation(readout=Readout()), {"folds": True}),
    ],
)
def test_a_target_takes_only_the_mitigation_that_it_can_do(mitigation, can):
    capable = Capabilities("x", 5, exact=False, folds=True, places=True)
    admit(work_of(mitigation), capable)
    with pytest.raises(Permanent) as caught:
        admit(work_of(mitigation), Capabilities("x", 5, exact=False, **can))
    assert (caught.value.kind, caught.value.code) == ("invalid", "unsupported-mitigation")


def test_what_is_measured_midway_is_not_mitigated():
    midway = TURN_MEASURED.with_operations((*TURN_MEASURED.operations, Operation("x", (0,))))
    work = Work(midway, (Member(ANGLES),), 10, mitigation=Mitigation(readout=Readout()))
    with pytest.raises(Permanent, match="midway"):
        admit(work, Capabilities("x", 5, exact=False, folds=True, places=True))
