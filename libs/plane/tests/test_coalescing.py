"""Identical work runs once, and everybody gets what a run of their own would have given."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.metrics import NoOpMeter

from quire_plane import content
from quire_plane.coalescing import Coalescing
from quire_plane.fleet_results import FleetResults, KeptResult
from quire_plane.reduction import reduced
from quire_plane.result_memory import Kept, ResultMemory
from quire_quantum.executor import Member, MemberOutcome, Outcome, Work
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import expectation, group, normalise
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Transient
from quire_testing import eventually
from quire_testing.executor_suite import PAIR, TURN, TURN_MEASURED

METER = NoOpMeter("test")
EXECUTOR = FakeExecutor()
Z = (normalise({"Z": 1.0}, 1),)


def member(*angles, seed=7):
    return Member(np.array(angles, dtype=float)[:, None], seed)


class Runs:
    """Performs by the fake executor; remembers what it was given, and can be held or spoiled."""

    def __init__(self):
        self.works = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.spoil = None

    async def __call__(self, work):
        self.works.append(work)
        await self.gate.wait()
        if self.spoil is not None:
            raise self.spoil
        return EXECUTOR.execute(work)


@pytest.fixture
def runs():
    return Runs()


@pytest.fixture
def sharing(clock):
    return Coalescing(ResultMemory(clock), METER)


def sampled(*members):
    return Work(TURN_MEASURED, members, 50)


def same(outcome, work):
    """Whether an outcome is what the work gives alone."""
    expected = EXECUTOR.execute(work).members
    return [each.counts for each in outcome.members] == [each.counts for each in expected]


async def test_identical_members_of_a_batch_run_once(sharing, runs):
    work = sampled(member(0.3, 1.0), member(0.3, 1.0, seed=8), member(0.3, 1.0), member(0.4), member(0.3, 1.0))
    outcome = await sharing.run(work, "here", runs)
    assert [len(each.members) for each in runs.works] == [3]
    assert same(outcome, work)
    assert outcome.execution.parameter_sets == work.rows == 9
    assert outcome.execution.provider_metadata == {"cached": False, "shared_members": 2}


async def test_what_ran_before_is_answered_from_memory_and_costs_nothing(sharing, runs):
    work = sampled(member(0.3), member(0.4))
    first = await sharing.run(work, "here", runs)
    again = await sharing.run(replace(work, members=work.members[::-1]), "here", runs)
    assert len(runs.works) == 1
    assert [each.counts for each in again.members] == [each.counts for each in first.members][::-1]
    execution = again.execution
    assert (execution.execute_seconds, execution.cost_usd, execution.compile_cached) == (0.0, 0.0, True)
    assert execution.provider_metadata == {"cached": True, "shared_members": 2}
    assert execution.started_at == first.execution.started_at


@pytest.mark.parametrize(
    "other",
    [
        sampled(member(0.3, seed=8)),
        sampled(member(0.31)),
        replace(sampled(member(0.3)), shots=51),
        Work(TURN, (member(0.3),), 50, Z),
        replace(Work(TURN, (member(0.3),), 50, Z), reduced=True),
        Work(TURN, (member(0.3),), 50, (normalise({"Z": 1.0 + 1e-16 * 3}, 1),)),
    ],
    ids=["seed", "angle", "shots", "observables", "reduced", "weight"],
)
async def test_other_content_is_other_work(sharing, runs, other):
    await sharing.run(sampled(member(0.3)), "here", runs)
    await sharing.run(Work(TURN, (member(0.3),), 50, (normalise({"Z": 2.0}, 1),)), "here", runs)
    await sharing.run(other, "here", runs)
    assert len(runs.works) == 3


async def test_another_calibration_is_another_machine(sharing, runs):
    for identity in ("fake|monday", "fake|tuesday", "fake|monday"):
        await sharing.run(sampled(member(0.3)), identity, runs)
    assert len(runs.works) == 2


async def test_sampling_without_a_seed_is_never_shared(sharing, runs):
    work = sampled(member(0.3, seed=None), member(0.3, seed=None))
    for _ in range(2):
        outcome = await sharing.run(work, "here", runs)
        assert "cached" not in outcome.execution.provider_metadata
    assert [len(each.members) for each in runs.works] == [2, 2]


async def test_exact_work_is_shared_whatever_the_seeds(sharing, runs):
    work = Work(TURN, (member(0.3, seed=1), member(0.3, seed=2), member(0.3, seed=None)), None, Z)
    outcome = await sharing.run(work, "here", runs)
    assert [len(each.members) for each in runs.works] == [1]
    assert [each.values[0, 0] for each in outcome.members] == [pytest.approx(np.cos(0.3))] * 3


async def test_work_under_way_is_joined_and_each_batch_runs_only_its_own(sharing, runs):
    """Two batches that overlap crosswise, each owning what the other waits for."""
    runs.gate.clear()
    left, right = sampled(member(0.1), member(0.2)), sampled(member(0.2), member(0.3), member(0.1))
    first = asyncio.create_task(sharing.run(left, "here", runs))
    await eventually(lambda: len(runs.works) == 1)
    second = asyncio.create_task(sharing.run(right, "here", runs))
    await eventually(lambda: len(runs.works) == 2)
    runs.gate.set()
    assert same(await first, left)
    assert same(await second, right)
    assert [[each.parameters.item() for each in work.members] for work in runs.works] == [[0.1, 0.2], [0.3]]


async def test_a_joined_run_that_fails_is_tried_again_by_the_next_delivery(sharing, runs):
    runs.gate.clear()
    runs.spoil = KeyError("a bug")
    first = asyncio.create_task(sharing.run(sampled(member(0.1)), "here", runs))
    await eventually(lambda: len(runs.works) == 1)
    joiner = asyncio.create_task(sharing.run(sampled(member(0.1)), "here", runs))
    await asyncio.sleep(0)
    runs.gate.set()
    with pytest.raises(KeyError):
        await first
    with pytest.raises(Transient, match="did not end well"):
        await joiner
    runs.spoil = None
    assert same(await sharing.run(sampled(member(0.1)), "here", runs), sampled(member(0.1)))


async def test_a_cancelled_owner_leaves_nobody_waiting(sharing, runs):
    runs.gate.clear()
    owner = asyncio.create_task(sharing.run(sampled(member(0.1)), "here", runs))
    await eventually(lambda: len(runs.works) == 1)
    joiner = asyncio.create_task(sharing.run(sampled(member(0.1)), "here", runs))
    await asyncio.sleep(0)
    owner.cancel()
    with pytest.raises(Transient):
        await joiner


def kept(values):
    return Kept(MemberOutcome(values=np.zeros((values, 1))), execution=None)


def test_memory_is_bounded_by_bytes_and_by_age(clock):
    memory = ResultMemory(clock, max_bytes=40_000, max_age=60.0)
    for name in "abcd":
        memory.put(name, kept(10))
    assert (len(memory), memory.bytes) == (4, 4 * (80 + 2_048))
    memory.get("a")
    for index in range(15):
        memory.put(str(index), kept(10))
    assert memory.get("b") is None
    assert memory.get("a") is not None
    assert memory.bytes <= 40_000
    memory.put("large", kept(1_000))
    assert memory.get("large") is None
    clock.advance(61.0)
    assert memory.get("a") is None


class Bucket:
    def __init__(self):
        self.values = {}

    async def get(self, key):
        found = self.values.get(key)
        return None if found is None else type("Stored", (), {"value": msgspec.json.decode(found, type=KeptResult)})

    async def put(self, key, value):
        self.values[key] = msgspec.json.encode(value)
        return 1


async def test_costly_answers_are_shared_by_the_fleet(runs, blobs):
    bucket = Bucket()

    def process(threshold):
        return Coalescing(ResultMemory(SystemClock()), METER, FleetResults(bucket, blobs, threshold_seconds=threshold))

    counts = sampled(member(0.3, 0.4), member(0.5))
    values = replace(Work(TURN, (member(0.3, 0.4),), 50, Z), reduced=True)

    async def reducing(work):
        return reduced(work, await runs(work))

    for work in (counts, values):
        first = await process(0.0).run(work, "here", reducing)
        second = await process(0.0).run(work, "here", reducing)
        assert second.execution.provider_metadata["cached"] is True
        for ours, theirs in zip(first.members, second.members, strict=True):
            assert ours.counts == theirs.counts
            for name in ("values", "std_errors"):
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert len(runs.works) == 2
    await process(1e9).run(counts, "here", reducing)
    assert (len(runs.works), len(bucket.values)) == (3, 3)


async def test_a_fleet_that_cannot_be_reached_is_an_empty_one(runs, blobs):
    class Away(Bucket):
        async def get(self, key):
            raise Transient("the broker is away", code="no-answer")

        put = get

    sharing = Coalescing(ResultMemory(SystemClock()), METER, FleetResults(Away(), blobs, threshold_seconds=0.0))
    Away.put = lambda self, key, value: self.get(key)
    assert same(await sharing.run(sampled(member(0.1)), "here", runs), sampled(member(0.1)))


async def test_what_a_backend_was_wrong_about_is_served_to_nobody(blobs):
    """Its answers alone: those of another backend for the same circuit stay."""
    bucket = Bucket()
    fleet = FleetResults(bucket, blobs, threshold_seconds=0.0)
    outcome = EXECUTOR.execute(sampled(member(0.1)))
    wrong = msgspec.structs.replace(outcome.execution, backend="hasty")
    for key, execution in (("a", wrong), ("b", outcome.execution)):
        await fleet.put(key, Kept(outcome.members[0], execution))
        assert await fleet.get(key) is not None
    await fleet.revoke("hasty", wrong.circuit_sha256, outcome.execution)
    elsewhere = FleetResults(bucket, blobs, threshold_seconds=0.0)
    assert await elsewhere.get("a") is None
    assert (await elsewhere.get("b")).outcome.counts == outcome.members[0].counts


@given(st.lists(st.lists(st.floats(-3, 3), min_size=1, max_size=3), min_size=1, max_size=5), st.integers(1, 60))
def test_reduced_answers_are_those_of_the_same_counts_in_any_company(angles, shots):
    observables = (normalise({"ZZ": 0.5, "XX": -0.7}, 2), normalise({"YY": 1.0, "II": 3.0}, 2))
    members = tuple(Member(np.array(each)[:, None], 3) for each in angles)
    work = Work(PAIR, members, shots, observables, reduced=True)
    counted = EXECUTOR.execute(work)
    found = reduced(work, counted)
    for before, after in zip(counted.members, found.members, strict=True):
        values, errors = expectation(before.counts, observables, group(observables))
        np.testing.assert_array_equal(after.values, values)
        np.testing.assert_array_equal(after.std_errors, errors)
        assert after.counts is None


def test_only_reduced_work_loses_its_counts():
    work = Work(TURN, (member(0.3),), 50, Z)
    outcome = EXECUTOR.execute(work)
    assert reduced(work, outcome) is outcome
    valued = Outcome((MemberOutcome(values=np.ones((1, 1))),), outcome.execution)
    assert reduced(replace(work, reduced=True), valued) is valued


def test_equal_angles_written_in_another_layout_are_equal_content():
    table = np.arange(12.0).reshape(3, 4)
    strided = Member(np.asfortranarray(table)[:, :1], 1)
    plain = Member(np.ascontiguousarray(table[:, :1]), 1)
    first, second = (content.keys("here", Work(TURN_MEASURED, (each,), 5)) for each in (strided, plain))
    assert first == second


async def test_what_is_wanted_fresh_runs_though_it_is_known_and_is_given_to_nobody(sharing, runs):
    known, fresh = member(0.1), replace(member(0.1), fresh=True)
    work = Work(TURN_MEASURED, (known,), 100)
    first = await sharing.run(work, "x", runs)
    for members in ((fresh,), (fresh, known), (fresh, fresh)):
        again = await sharing.run(replace(work, members=members), "x", runs)
        assert [each.counts.to_bytes() for each in again.members] == [first.members[0].counts.to_bytes()] * len(members)
    assert [len(each.members) for each in runs.works] == [1, 1, 1, 2]
