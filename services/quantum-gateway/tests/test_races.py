"""Every crash point in every identity, two gateways racing: the provider's ledger shows one job, or nobody knows."""

from __future__ import annotations

import asyncio

import pytest

from quire_contracts.batch import BatchExecuted
from quire_contracts.submission import BatchParked, DuplicateFound
from quire_quantum_gateway.failpoints import POINTS
from quire_quantum_gateway.recovery import Rules
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import FLIP

BEFORE_THE_CALL = ("opened", "announced", "calling")
IN_DOUBT = ("announced", "calling", "called", "heard")
"""Where a crash leaves a call of which the journal knows no outcome."""


def outcome(task):
    """What became of one gateway's run: killed, executed, or the code of its fault."""
    error = task.exception()
    if error is None:
        return "executed" if isinstance(task.result(), BatchExecuted) else task.result()
    return error.code if isinstance(error, Permanent) else type(error).__name__


async def run(house, *gateways):
    tasks = [asyncio.ensure_future(gateway.run(house.batch(FLIP), None)) for gateway in gateways]
    await house.until(*tasks)
    return [outcome(task) for task in tasks]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", ["token", "tag", "none"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_anywhere_with_another_gateway_at_it_submits_once(remote, point, mode, seed):
    house = remote.House(mode, seed=seed, search_lag=20.0 * seed)
    bomb = remote.Bomb(point)
    first = await run(house, house.gateway(bomb), house.gateway())
    last = await run(house, house.gateway())
    submission = house.records.of()
    assert len(house.provider.ledger) <= 1
    assert house.said.of(DuplicateFound) == []
    if last == ["executed"]:
        assert submission.state == "retrieved"
        assert submission.provider_job_id == house.provider.ledger[0].job_id
    else:
        assert (last, submission.state, mode) == (["submission-parked"], "parked", "none")
        assert len(house.said.of(BatchParked)) == 1
    assert set(first) <= {"executed", "Killed", "submission-parked"}


@pytest.mark.parametrize("mode", ["token", "tag", "none"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_and_then_another_gateway(remote, point, mode):
    """As after a kill: the broker delivers again when the first gateway is gone."""
    house = remote.House(mode)
    bomb = remote.Bomb(point)
    first = await run(house, house.gateway(bomb))
    reached = point in bomb.reached
    second = await run(house, house.gateway())
    assert first == (["Killed"] if reached else ["executed"])
    parks = mode == "none" and point in IN_DOUBT
    assert second == (["submission-parked"] if parks else ["executed"])
    applied = 0 if parks and point in BEFORE_THE_CALL else 1
    assert len(house.provider.ledger) == applied
    assert house.provider.calls["submit"] == (2 if mode == "token" and point in ("called", "heard") else applied)


@pytest.mark.parametrize("mode", ["token", "tag"])
async def test_all_that_can_go_wrong_with_the_call(remote, mode):
    """Answers cut, requests lost or applied after minutes, searches that lag: one job, and its answer."""
    for fates in (["cut"], ["lose"], ["late:45"], ["cut", "cut"] if mode == "token" else ["cut"]):
        for lag in (0.0, 60.0):
            house = remote.House(mode, fates=fates, search_lag=lag)
            assert await run(house, house.gateway()) == ["executed"]
            assert len(house.provider.ledger) == 1
            assert house.provider.fates == []


async def test_calls_that_are_lost_again_and_again_are_an_operators_where_there_are_only_tags(remote):
    house = remote.House("tag", fates=["lose", "lose"], rules=Rules(recalls=1))
    assert await run(house, house.gateway()) == ["submission-parked"]
    assert house.provider.calls["submit"] == 2
    assert [step.state for step in house.records.of().steps] == [
        "intent",
        "calling",
        "unknown",
        "calling",
        "unknown",
        "parked",
    ]


async def test_a_gateway_that_dies_again_and_again_before_its_call_costs_quarantines_and_no_operator(remote):
    house = remote.House("tag")
    for _ in range(3):
        assert await run(house, house.gateway(remote.Bomb("announced"))) == ["Killed"]
    assert await run(house, house.gateway()) == ["executed"]
    assert len(house.provider.ledger) == 1


async def test_the_clock_says_how_long_doubt_lasts(remote):
    """The call that was lost is made again after the quarantine and not before."""
    house = remote.House("tag", fates=["lose"])
    began = house.clock.monotonic()
    assert await run(house, house.gateway()) == ["executed"]
    assert 300.0 <= house.clock.monotonic() - began < 340.0
    assert house.provider.calls["find"] >= 30


async def test_without_the_quarantine_there_are_two_jobs(remote):
    """So that these tests can fail: a search that lags, believed at once."""
    hasty = Rules(quarantine_seconds=0.0, searches=1, search_seconds=1.0)
    house = remote.House("tag", fates=["cut"], search_lag=60.0, rules=hasty)
    await run(house, house.gateway())
    assert len(house.provider.ledger) == 2
