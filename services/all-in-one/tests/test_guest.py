"""The keeper: the first start must succeed, every later end brings a new guest, and closing is final."""

import asyncio

import pytest
import structlog

from quire_all_in_one.guest import Keeper, open_all
from quire_service import Ended, Exit, ServiceFailed
from quire_testing import eventually


class FakeGuest:
    """A guest that starts and ends when it is told to."""

    def __init__(self, *, comes_up=True, ready=True):
        self.name = "fake"
        self.comes_up = comes_up
        self.ready = ready
        self.over = asyncio.Event()
        self.outcome = Ended(Exit.CRASH, "it fell")

    async def started(self):
        if not self.comes_up:
            raise ServiceFailed("fake", self.outcome)

    async def faults(self):
        return {} if self.ready else {"broker": "not yet"}

    def end(self, code, reason):
        self.outcome = Ended(code, reason)
        self.over.set()

    async def ended(self):
        await self.over.wait()
        return self.outcome


@pytest.fixture
def keep(clock):
    guests = []

    def make(**how):
        def invite():
            guests.append(FakeGuest(**how))
            return guests[-1]

        return Keeper("fake", invite, clock=clock, uniform=lambda: 1.0, log=structlog.get_logger()), guests

    return make


async def test_a_guest_that_ends_is_replaced_at_once(keep):
    keeper, guests = keep()
    await keeper.open()
    guests[0].over.set()
    await eventually(lambda: len(guests) == 2)
    await keeper.close()
    assert guests[1].outcome == Ended(Exit.OK, "the house closes")
    assert len(guests) == 2


async def test_one_that_keeps_ending_is_replaced_ever_more_slowly(keep, clock):
    keeper, guests = keep()
    await keeper.open()
    for number, pause in enumerate((0.0, 0.1, 0.2, 0.4), start=1):
        guests[-1].over.set()
        if pause:
            await eventually(lambda: clock.sleeping == 1)
            clock.advance(pause - 0.001)
            assert len(guests) == number
            clock.advance(0.002)
        await eventually(lambda expected=number + 1: len(guests) == expected)
    clock.advance(60)
    guests[-1].over.set()
    await eventually(lambda: len(guests) == 6)
    await keeper.close()


async def test_one_that_never_comes_up_fails_the_house(keep):
    keeper, guests = keep(comes_up=False)
    with pytest.raises(ServiceFailed, match="it fell"):
        await open_all([keeper], seconds=10)
    guests[0].over.set()
    await keeper.close()
    assert len(guests) == 1


async def test_one_that_is_never_ready_fails_the_house_in_time(keep):
    keeper, guests = keep(ready=False)
    with pytest.raises(ServiceFailed, match=r"not ready within 0\.05 s"):
        await open_all([keeper], seconds=0.05)
    guests[0].over.set()
    await keeper.close()


async def test_closing_while_it_pauses_brings_nobody_back(keep, clock):
    keeper, guests = keep()
    await keeper.open()
    guests[0].over.set()
    await eventually(lambda: len(guests) == 2)
    guests[1].over.set()
    await eventually(lambda: clock.sleeping == 1)
    closing = asyncio.create_task(keeper.close())
    await asyncio.sleep(0)
    clock.advance(10)
    await closing
    assert len(guests) == 2
