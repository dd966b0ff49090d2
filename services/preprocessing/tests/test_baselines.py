"""A problem's baseline is worked out once, and is the same for every job that asks for it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from quire_contracts.problems import MaxCut
from quire_preprocessing.classical.baseline import Budget
from quire_preprocessing.classical.baselines import KEPT_SECONDS, Baselines
from quire_preprocessing.optimize.ising import energy_of
from quire_service.metrics import no_meter

RING = MaxCut(edges=tuple((i, (i + 1) % 9, 1.0) for i in range(9)))


@pytest.fixture
def runs():
    """What was worked out."""
    return []


@pytest.fixture
def make_baselines(clock, runs):
    with ThreadPoolExecutor(2) as threads:

        def run(work):
            runs.append(work)
            return asyncio.get_running_loop().run_in_executor(threads, work)

        def make(most_bytes=2**20, **budget):
            return Baselines(clock, run, Budget(**budget), most_bytes=most_bytes, meter=no_meter())

        yield make


async def test_a_known_problem_has_the_same_bytes_and_costs_nothing(make_baselines, runs):
    baselines = make_baselines(seconds=0.02, exact_variables=0)
    first = await baselines.of(RING, energy_of(RING))
    again = await baselines.of(MaxCut(edges=RING.edges), energy_of(RING))
    assert len(runs) == 1
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    anew = await make_baselines(seconds=0.02, exact_variables=0).of(RING, energy_of(RING))
    assert len(runs) == 2
    assert msgspec.json.encode(anew.baseline) == msgspec.json.encode(first.baseline)


async def test_equal_problems_that_come_at_a_time_are_worked_out_once(make_baselines, runs):
    baselines = make_baselines()
    found = await asyncio.gather(*(baselines.of(RING, energy_of(RING)) for _ in range(8)))
    assert len(runs) == 1
    assert found == found[:1] * 8


async def test_another_problem_is_worked_out_by_itself(make_baselines, runs):
    baselines = make_baselines()
    heavier = MaxCut(edges=tuple((i, j, 2 * w) for i, j, w in RING.edges))
    one, two = await baselines.of(RING, energy_of(RING)), await baselines.of(heavier, energy_of(heavier))
    assert (one.baseline.value, two.baseline.value, len(runs)) == (8.0, 16.0, 2)


async def test_what_is_old_or_has_no_room_is_worked_out_again(make_baselines, runs, clock):
    baselines = make_baselines()
    await baselines.of(RING, energy_of(RING))
    clock.advance(KEPT_SECONDS + 1)
    await baselines.of(RING, energy_of(RING))
    assert len(runs) == 2
    small = make_baselines(most_bytes=10)
    for _ in range(2):
        await small.of(RING, energy_of(RING))
    assert len(runs) == 4
