"""Tenants take turns at a process's hands, whatever order the log has."""

import asyncio
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_bus import pull
from quire_bus.router import Router
from quire_bus.turns import PIECES, Turns
from quire_contracts.job import CancelJob
from quire_contracts.topology import durable_name
from quire_testing import eventually

DURABLE = durable_name("control-plane", CancelJob)
names = st.sampled_from("abcd")


def served(turns, pieces):
    """So many pieces, each done before the next is taken."""
    for _ in range(pieces):
        name, number = turns.take()
        turns.let_go(name)
        yield name, number


@given(st.lists(names))
def test_everything_is_taken_once_and_in_its_names_order(waiting):
    turns = Turns()
    for number, name in enumerate(waiting):
        turns.put(name, (name, number))
    taken = list(served(turns, len(waiting)))
    assert sorted(number for _, number in taken) == list(range(len(waiting)))
    for name in set(waiting):
        numbers = [number for other, number in taken if other == name]
        assert numbers == sorted(numbers)
    assert not len(turns)
    with pytest.raises(IndexError):
        turns.take()


@given(st.dictionaries(names, st.integers(1, 60), min_size=2))
def test_while_two_wait_what_they_got_differs_by_one_turn_at_most(waiting):
    turns, got = Turns(), dict.fromkeys(waiting, 0)
    for name, pieces in waiting.items():
        for number in range(pieces):
            turns.put(name, (name, number))
    for name, _ in served(turns, sum(waiting.values())):
        got[name] += 1
        still = [got[each] for each in waiting if got[each] < waiting[each]]
        assert not still or max(still) - min(still) <= PIECES


def test_who_comes_after_a_flood_waits_for_one_turn_of_it():
    turns = Turns()
    for number in range(1_000):
        turns.put("flood", ("flood", number))
    list(served(turns, 100))
    turns.put("guest", ("guest", 0))
    assert ("guest", 0) in list(served(turns, PIECES + 1))


def test_who_holds_a_whole_turn_is_passed_over_while_others_hold_fewer():
    turns = Turns()
    for number in range(3 * PIECES):
        turns.put("slow", ("slow", number))
    for number in range(PIECES):
        turns.put("quick", ("quick", number))
    taken = [turns.take()[0] for _ in range(PIECES)]
    assert taken == ["slow"] * PIECES
    for name, _ in served(turns, PIECES):
        assert name == "quick"  # although its turn would have been over in between, had the slow ones been done
    assert turns.take() == ("slow", PIECES)  # but no hand stays idle for that


async def test_a_guest_is_not_behind_the_whole_backlog_of_another(make_bus, bus, cancel):
    control, router, done, gate = await make_bus("control-plane"), Router("control-plane"), [], asyncio.Event()

    @router.consume(CancelJob, workers=2, ahead=100)
    async def do_cancel(message, delivery):
        await gate.wait()
        done.append((message.tenant, message.job_id))

    for number in range(40):
        await bus.publisher.publish(cancel(f"{number:02}", tenant="flood"))
    for number in range(3):
        await bus.publisher.publish(cancel(f"{number:02}", tenant="guest"))
    control.include(router)
    await control.start()
    await in_hand(bus, 43)
    gate.set()
    await eventually(lambda: len(done) == 43)
    assert [tenant for tenant, _ in done].index("guest") <= PIECES + 2
    for _, mine in groupby(sorted(done, key=lambda one: one[0]), key=lambda one: one[0]):
        numbers = [job for _, job in mine]
        assert numbers == sorted(numbers)


async def test_no_more_run_at_a_time_than_there_are_hands_and_what_waits_is_kept(
    make_bus, bus, js, quick, patience_ends, cancel
):
    control, router, running, most, gate = (
        await make_bus("control-plane"),
        Router("control-plane"),
        set(),
        [],
        asyncio.Event(),
    )

    @router.consume(CancelJob, workers=2, ahead=100)
    async def do_cancel(message, delivery):
        running.add(message.job_id)
        most.append(len(running))
        await gate.wait()
        running.discard(message.job_id)

    await quick(router, ack_wait=0.6)
    consumer = router.consumptions[0].consumer
    control.include(router)
    await control.start()
    for number in range(8):
        await bus.publisher.publish(cancel(f"j{number}"))
    await in_hand(bus, 8, consumer.durable)
    await patience_ends(consumer)
    assert len(running) == 2
    gate.set()
    await eventually(lambda: len(most) == 8 and not running)
    assert max(most) == 2
    info = await js.consumer_info(consumer.stream, consumer.durable)
    assert info.delivered.consumer_seq == 8, "the broker gave none of them twice"


async def test_what_waits_is_handed_back_when_the_process_stops(make_bus, bus, cancel):
    control, router, begun, gate = await make_bus("control-plane"), Router("control-plane"), [], asyncio.Event()

    @router.consume(CancelJob, ahead=100)
    async def do_cancel(message, delivery):
        begun.append(message.job_id)
        await gate.wait()

    control.include(router)
    await control.start()
    for number in range(10):
        await bus.publisher.publish(cancel(f"j{number}"))
    await in_hand(bus, 10)
    stopping = asyncio.create_task(control.stop(5.0))
    other, again, taken = await make_bus("control-plane"), Router("control-plane"), []

    @again.consume(CancelJob)
    async def do_cancel_elsewhere(message, delivery):
        taken.append(message.job_id)

    other.include(again)
    await other.start()
    await eventually(lambda: len(taken) == 9)
    gate.set()
    await stopping
    assert begun == ["j0"]
    assert "j0" not in taken


async def test_large_messages_wait_at_the_broker(make_bus, bus, monkeypatch, cancel):
    """Slots are counted in messages, memory is not: ten bodies of 2,000 bytes must not all be here."""
    monkeypatch.setattr(pull, "_AHEAD_BYTES", 10_000)
    monkeypatch.setattr(pull, "_LEAST_BYTES", 5_000)
    control, router, done, gate = await make_bus("control-plane"), Router("control-plane"), [], asyncio.Event()

    @router.consume(CancelJob, ahead=100)
    async def do_cancel(message, delivery):
        await gate.wait()
        done.append(message.job_id)

    for number in range(20):
        await bus.publisher.publish(cancel(f"j{number}", reason="x" * 2_000))
    control.include(router)
    await control.start()
    info = await in_hand(bus, 3)
    assert info.num_ack_pending <= 8
    assert control.is_healthy
    gate.set()
    await eventually(lambda: len(done) == 20)
    assert control.is_healthy


async def in_hand(bus, number, durable=DURABLE):
    """Wait until so many messages, at least, are with consumers."""
    js = bus.connection.client.jetstream()

    async def found():
        info = await js.consumer_info("QUIRE", durable)
        return info if info.num_ack_pending >= number else None

    return await eventually(found)
