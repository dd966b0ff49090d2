"""Upstream publishers as they are: plain NATS connections in a process of their own, that know the contract alone.

Reads `{"url", "tenants": {tenant: [document, ...]}, "rate"}` from standard input and writes, for every job, its tenant,
id, and when it was published and ended (seconds of the system's monotonic clock, which all processes share).
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from dataclasses import dataclass
from typing import Any

import msgspec
import nats
from nats.aio.msg import Msg

ENDS = ("completed", "failed", "cancelled", "rejected")
IN_FLIGHT = 32
PATIENCE_SECONDS = 300.0


class Told(msgspec.Struct):
    """What the process is told; `rate` is jobs a second over all tenants, 0 is as fast as they can."""

    url: str
    tenants: dict[str, list[dict[str, Any]]]
    rate: float = 0.0


class Life(msgspec.Struct):
    """One job as its publisher saw it; `ends` counts its terminal events."""

    tenant: str
    job: str
    published: float
    ended: float = 0.0
    state: str = ""
    ends: int = 0


@dataclass
class Upstream:
    """One team: its connection, its jobs, and its own view of their ends."""

    tenant: str
    documents: list[bytes]
    lives: dict[str, Life]

    async def run(self, url: str, start: float, every: float) -> None:
        """Publish everything and wait for every end; `every` seconds between two jobs, 0 for a window in flight."""
        client = await nats.connect(url)
        log = client.jetstream(publish_async_max_pending=IN_FLIGHT)
        over = asyncio.Event()

        async def ended(message: Msg) -> None:
            _, _, _, _, state, _, job = message.subject.split(".")
            life = self.lives[job]
            life.ended, life.state, life.ends = life.ended or time.monotonic(), state, life.ends + 1
            if len(self.lives) == len(self.documents) and all(each.ends for each in self.lives.values()):
                over.set()

        for end in ENDS:
            await log.subscribe(f"quire.evt.{self.tenant}.job.{end}.v1.*", cb=ended, ordered_consumer=True)
        await asyncio.sleep(start - time.monotonic())
        for index, body in enumerate(self.documents):
            if every:
                await asyncio.sleep(start + index * every - time.monotonic())
            await self._publish(log, body)
        await log.publish_async_completed()
        await asyncio.wait_for(over.wait(), PATIENCE_SECONDS)
        await client.close()

    async def _publish(self, log: Any, body: bytes) -> None:
        job = str(uuid.uuid4())
        self.lives[job] = Life(self.tenant, job, time.monotonic())
        headers = {"ce-specversion": "1.0", "ce-id": job, "ce-source": "/bench", "ce-type": "io.quire.job.submit.v1"}
        await log.publish_async(f"quire.cmd.{self.tenant}.job.submit.v1.{job}", body, headers=headers)


async def main() -> None:
    """Run every upstream at once."""
    told = msgspec.json.decode(sys.stdin.buffer.read(), type=Told)
    upstreams = [
        Upstream(tenant, [msgspec.json.encode(each) for each in documents], {})
        for tenant, documents in told.tenants.items()
    ]
    every = len(upstreams) / told.rate if told.rate else 0.0
    start = time.monotonic() + 1.0
    offsets = [index * every / len(upstreams) for index in range(len(upstreams))]
    await asyncio.gather(
        *(each.run(told.url, start + offset, every) for each, offset in zip(upstreams, offsets, strict=True))
    )
    sys.stdout.buffer.write(msgspec.json.encode([life for each in upstreams for life in each.lives.values()]))


if __name__ == "__main__":
    asyncio.run(main())
