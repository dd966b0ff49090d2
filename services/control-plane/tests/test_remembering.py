"""What replicas saw is one memory: in whatever order they hear of it, and after all of them have died."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import count

import pytest
from control_plane_cases import admitted, answer, prepared
from control_plane_house import record_of, tell
from hypothesis import given
from hypothesis import strategies as st

from quire_bus.errors import Unknown
from quire_contracts.job import JobCompleted, SubmitJob
from quire_contracts.preparation import PrepareJob
from quire_contracts.record import Decision, evolve
from quire_contracts.result import Best
from quire_contracts.task import RunTask
from quire_control_plane.patience.memory import KEPT, Memory, Seen, gain, key_of, merged, turnaround
from quire_control_plane.patience.prospects import GAIN_SECONDS, REMEMBERED_SECONDS, SUBJECTS, Prospects
from quire_control_plane.patience.remembering import BUCKET, EVERY_SECONDS, Remembering
from quire_testing import ManualClock, eventually

FAR = "aws:garnet"
SEEN = st.builds(Seen, st.floats(0, 1e3), st.integers(0, 3), st.floats(0, 9))
SOME = st.lists(SEEN, max_size=2 * KEPT).map(merged)


@given(SOME, SOME, SOME)
def test_merging_comes_to_the_same_in_any_order_in_any_grouping_and_however_often(one, two, three) -> None:
    assert merged(one, two) == merged(two, one)
    assert merged(merged(one, two), three) == merged(one, merged(two, three)) == merged(one, two, three)
    assert merged(one, one) == one
    assert merged(merged(one, two), two) == merged(one, two)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(0, 100), st.floats(0, 20)), min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=20),
)
def test_replicas_that_hear_of_each_other_reach_the_same_figures(answers, hearings) -> None:
    clock = ManualClock()
    replicas = [Prospects(clock, marks=count(1_000 * number)) for number in range(3)]

    def hear(one: int, other: int) -> None:
        replicas[one].recall(Memory(turnaround(FAR), replicas[other].known(turnaround(FAR))))

    for place, (replica, seconds, pause) in enumerate(answers):
        replicas[replica].took(FAR, seconds)
        clock.advance(pause)
        if place < len(hearings):
            hear(*hearings[place])
    for one, other in ((0, 1), (0, 2), (1, 0), (2, 0)):
        hear(one, other)
    assert len({replica.seconds(FAR) for replica in replicas}) == 1
    alone = Prospects(ManualClock())
    for _, seconds, pause in answers:
        alone.took(FAR, seconds)
        alone.clock.advance(pause)
    assert replicas[0].seconds(FAR) == alone.seconds(FAR), "and the same as one that saw it all"


def test_an_answer_counts_for_a_while_or_for_as_long_as_it_took() -> None:
    clock = ManualClock()
    prospects = Prospects(clock)
    prospects.took(FAR, 3_600.0)
    prospects.took(FAR, 2.0)
    clock.advance(REMEMBERED_SECONDS + 1)
    assert prospects.seconds(FAR) == 3_600.0
    clock.advance(3_600.0)
    assert prospects.seconds(FAR) is None


def test_what_comes_from_the_future_is_not_believed() -> None:
    clock = ManualClock()
    prospects, now = Prospects(clock), clock.now().timestamp()
    prospects.recall(Memory(turnaround(FAR), (Seen(now + 30, 1, 2.0), Seen(now + 3_600, 2, 9.0))))
    assert prospects.seconds(FAR) == 2.0


def test_gains_are_those_of_a_tenants_jobs_of_a_kind_and_are_forgotten_after_a_month(optimize_body: bytes) -> None:
    clock = ManualClock()
    prospects, record = Prospects(clock), admitted(optimize_body).record
    prospects.gained(record, Best(value=1.0, assignment=(0, 1)))
    assert prospects.gain(record) is None, "without a classical answer nothing is learned"
    record = evolve(record, preparation=prepared(record).preparation)
    for value in (4.5, 3.0):
        prospects.gained(record, Best(value=value, assignment=(0, 1)))
    assert prospects.gain(record) == pytest.approx(0.25)
    assert prospects.gain(evolve(record, tenant="other")) is None
    clock.advance(GAIN_SECONDS + 1)
    assert prospects.gain(record) is None


def test_the_least_recent_of_too_many_subjects_is_forgotten() -> None:
    clock = ManualClock()
    prospects = Prospects(clock)
    for number in range(SUBJECTS + 1):
        prospects.took(f"aws:device-{number}", 1.0)
        clock.advance(0.1)
    assert (prospects.seconds("aws:device-0"), prospects.seconds("aws:device-1")) == (None, 1.0)
    assert len(prospects.news()) == SUBJECTS


@pytest.fixture
def replica(make_bus):
    """A function that starts a replica's memory: what it knows, its clock, and what stops it."""

    async def start(mark: int, clock: ManualClock):
        prospects, stopping = Prospects(clock, marks=count(mark)), asyncio.Event()
        remembering = Remembering(prospects, await make_bus("control-plane"), clock)
        life = asyncio.create_task(remembering.run(stopping))
        await eventually(lambda: clock.sleeping)

        async def stop() -> None:
            stopping.set()
            await life

        return prospects, stop

    return start


async def test_what_one_replica_sees_another_knows_at_once_and_the_next_life_too(replica) -> None:
    first_clock, second_clock = ManualClock(), ManualClock()
    first, end_first = await replica(0, first_clock)
    second, end_second = await replica(1_000, second_clock)
    for seconds in (1.0, 2.0, 3.0):
        first.took(FAR, seconds)
    assert second.seconds(FAR) is None
    first_clock.advance(EVERY_SECONDS)
    await eventually(lambda: second.seconds(FAR) == 3.0)
    second.took(FAR, 40.0)
    first.took("ibm:kingston", 5.0)
    await end_first()
    await end_second()
    third, end_third = await replica(2_000, ManualClock())
    await eventually(lambda: third.seconds("ibm:kingston") == 5.0)
    assert [each.figure for each in third.known(turnaround(FAR))] == [1.0, 2.0, 3.0, 40.0]
    await end_third()


async def test_replicas_that_write_one_entry_together_lose_nothing(replica, bus) -> None:
    lives = [await replica(1_000 * number, ManualClock()) for number in range(4)]
    for number, (prospects, _) in enumerate(lives):
        for place in range(5):
            prospects.took(FAR, 10.0 * number + place)
    await asyncio.gather(*(end() for _, end in lives))
    stored = await bus.bucket(BUCKET, Memory).get(key_of(turnaround(FAR)))
    assert sorted(each.figure for each in stored.value.seen) == sorted(
        10.0 * number + place for number in range(4) for place in range(5)
    )


async def test_an_entry_that_cannot_be_understood_is_written_anew_and_stops_nobody(replica, bus) -> None:
    odd = bus.bucket(BUCKET, Seen)
    await odd.put(key_of(turnaround(FAR)), Seen(1.0, 2, 3.0))
    await odd.put(key_of(gain("acme", "optimize", "cut")), Seen(1.0, 2, 3.0))
    prospects, end = await replica(0, ManualClock())
    assert prospects.seconds(FAR) is None
    prospects.took(FAR, 2.0)
    await end()
    stored = await bus.bucket(BUCKET, Memory).get(key_of(turnaround(FAR)))
    assert [each.figure for each in stored.value.seen] == [2.0]


async def test_what_cannot_be_written_now_is_written_the_next_time(replica, bus, monkeypatch) -> None:
    clock = ManualClock()
    prospects, end = await replica(0, clock)
    prospects.took(FAR, 2.0)
    from quire_bus.buckets import Bucket

    put, tries = Bucket.put, []

    async def away(self, *arguments):
        tries.append(arguments)
        if len(tries) == 1:
            raise Unknown("no answer in time")
        return await put(self, *arguments)

    monkeypatch.setattr(Bucket, "put", away)
    clock.advance(EVERY_SECONDS)
    await eventually(lambda: tries and clock.sleeping)
    assert prospects.news() == (turnaround(FAR),)
    clock.advance(EVERY_SECONDS)
    await eventually(lambda: not prospects.news())
    assert await bus.bucket(BUCKET, Memory).get(key_of(turnaround(FAR))) is not None
    clock.advance(timedelta(minutes=1).total_seconds())
    await end()
    assert len(tries) == 2, "what is known already is not written again"


async def test_a_control_plane_that_starts_anew_expects_what_the_last_one_saw(whole, probe, sample_body: bytes) -> None:
    seen, jobs = await probe("quire.>"), (f"job-{number}" for number in count())

    async def first_decision(house) -> Decision:
        """Of a new job, whose work is answered."""
        job_id = next(jobs)
        await tell(house, SubmitJob(job_id=job_id, tenant="acme", body=sample_body), times=1)
        await eventually(lambda: any(said.job_id == job_id for said in seen.of(PrepareJob)))
        record = await record_of(house, job_id)
        await tell(house, prepared(record), times=1)

        async def sent():
            return next((said.task for said in seen.of(RunTask) if said.task.job_id == job_id), None)

        await tell(house, answer(await eventually(sent)), times=1)
        await eventually(lambda: any(said.job_id == job_id for said in seen.of(JobCompleted)))
        return (await record_of(house, job_id)).decisions[0]

    house, stop = await whole()
    assert "expected_seconds" not in (await first_decision(house)).figures
    await stop()
    house, _ = await whole()

    async def expects():
        return "expected_seconds" in (await first_decision(house)).figures

    await eventually(expects, within=20)
