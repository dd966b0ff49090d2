"""What a process remembers of what it has done."""

import asyncio

import pytest

from quire_bus.errors import AlreadyDone
from quire_bus.recent import RecentMarks


async def do(recent, *marks):
    for mark in marks:
        async with recent.doing(mark):
            pass


async def fail(recent, mark, when=None):
    async with recent.doing(mark):
        if when is not None:
            await when.wait()
        raise ValueError("lost")


async def test_what_is_done_is_not_done_again():
    recent = RecentMarks()
    await do(recent, "a", "b")
    assert "a" in recent
    with pytest.raises(AlreadyDone) as refused:
        await do(recent, "a")
    assert refused.value.subjects == ("a",)


async def test_what_failed_may_be_done_again():
    recent = RecentMarks()
    with pytest.raises(ValueError, match="lost"):
        await fail(recent, "a")
    assert "a" not in recent
    await do(recent, "a")
    assert "a" in recent


async def test_what_is_under_way_is_waited_for_and_done_by_the_next_if_it_fails():
    recent, when = RecentMarks(), asyncio.Event()
    first = asyncio.create_task(fail(recent, "a", when))
    await asyncio.sleep(0)
    others = [asyncio.create_task(do(recent, "a")) for _ in range(2)]
    await do(recent, "b")
    assert "a" not in recent, "or a repetition would be acknowledged, and nobody would do it"
    assert not any(other.done() for other in others)
    when.set()
    ends = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(end) for end in ends] == [ValueError, type(None), AlreadyDone]
    assert "a" in recent


async def test_the_oldest_are_forgotten():
    recent = RecentMarks(most=2)
    await do(recent, *"abc")
    assert [mark in recent for mark in "abc"] == [False, True, True]
