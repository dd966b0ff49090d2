"""Overhearing: a hint of what is said, that comes back with the broker and promises nothing."""

from __future__ import annotations

import asyncio

from quire_testing import eventually

SUBJECT = "quire.evt.*.job.rejected.v1.*"


async def test_what_is_said_is_heard_while_the_block_runs(bus, rejected):
    heard = []
    async with bus.overhear(SUBJECT, lambda subject, body: heard.append((subject, body))):
        await bus.check()  # a round trip: the broker knows by now
        await bus.publisher.publish(rejected("j1"))
        await eventually(lambda: len(heard) == 1)
    await bus.publisher.publish(rejected("j2"))
    await bus.check()
    ((subject, body),) = heard
    assert subject == "quire.evt.acme.job.rejected.v1.j1"
    assert b'"j1"' in body


async def test_it_listens_again_when_the_broker_is_back(bus, rejected, nats_server):
    heard = []
    async with bus.overhear(SUBJECT, lambda subject, _: heard.append(subject)):
        nats_server.kill()
        await asyncio.to_thread(nats_server.start)
        await eventually(lambda: bus.is_healthy)

        async def said():
            await bus.publisher.publish(rejected(f"j{len(heard)}"))
            return heard

        await eventually(said)


async def test_who_waits_for_more_to_come_is_told_of_the_stop(bus):
    assert not bus.stopping.is_set()
    await bus.stop()
    assert bus.stopping.is_set()
