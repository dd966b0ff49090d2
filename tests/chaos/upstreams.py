"""Teams that submit jobs whose answers are known, over plain NATS, and keep at it until the broker has taken each."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import nats
import nats.errors
import nats.js.errors
from mirror import angles_of, answers, program
from nats.aio.client import Client
from nats.js import JetStreamContext

IN_FLIGHT = 32
TENANTS = 5
HEADERS = {"ce-specversion": "1.0", "ce-source": "/chaos", "ce-type": "io.quire.job.submit.v1"}


@dataclass
class Wanted:
    """A job, the answers that it must come to, and when the broker took it (0 while it has not)."""

    job: str
    tenant: str
    target: str
    priority: str
    document: bytes
    answers: tuple[str, ...]
    shots: int
    sent_at: float = 0.0
    acked_at: float = 0.0
    tries: int = 0

    @property
    def counts(self) -> list[dict[str, int]]:
        """What its result must say."""
        return [{answer: self.shots} for answer in self.answers]


def jobs(seed: int, count: int, targets: Mapping[str, float], *, shots: int = 20, **fields: object) -> Iterator[Wanted]:
    """Mirror circuits on 3 to 5 qubits with 1 to 3 parameter sets; `targets` to shares; `fields` in each document.

    Every circuit has angles of its own, so that an answer in the wrong hands is a wrong answer.
    """
    order = random.Random(seed)
    names, shares = list(targets), list(targets.values())
    for _ in range(count):
        qubits, sets = order.randint(3, 5), order.randint(1, 3)
        wanted = answers(qubits, sets, order.getrandbits(32))
        priority = order.choice(("research", "validation", "production"))
        tenant = f"chaos-{order.randrange(TENANTS)}"
        target = order.choices(names, shares)[0]
        document = {
            "kind": "sample",
            "program": program(qubits),
            "parameters": [angles_of(qubits, answer, order.getrandbits(32)) for answer in wanted],
            "shots": shots,
            "targets": [target],
            "priority": priority,
            **fields,
        }
        job = str(uuid.UUID(int=order.getrandbits(128), version=4))
        yield Wanted(
            job, tenant, target, str(document["priority"]), msgspec.json.encode(document), tuple(wanted), shots
        )


@dataclass
class Publisher:
    """Publishes jobs at a rate (jobs a second; 0 is as fast as the broker takes them) and notes when each was taken.

    A job is published again, under the same id, until it is acknowledged: what was acknowledged is never lost.
    """

    url: str
    wanted: Sequence[Wanted]
    rate: float = 0.0
    longest_wait: float = 0.0
    _client: Client | None = field(default=None)

    async def run(self) -> None:
        """Publish everything."""
        self._client = await steady(self.url)
        log, places = self._client.jetstream(timeout=3), asyncio.Semaphore(IN_FLIGHT)
        start = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                for index, each in enumerate(self.wanted):
                    if self.rate:
                        await asyncio.sleep(start + index / self.rate - time.monotonic())
                    await places.acquire()
                    task = group.create_task(self._publish(log, each))
                    task.add_done_callback(lambda _: places.release())
        finally:
            await self._client.close()

    @property
    def acked(self) -> list[Wanted]:
        """What the broker has taken."""
        return [each for each in self.wanted if each.acked_at]

    async def _publish(self, log: JetStreamContext, each: Wanted) -> None:
        subject = f"quire.cmd.{each.tenant}.job.submit.v1.{each.job}"
        headers = {**HEADERS, "ce-id": each.job, "Nats-Msg-Id": each.job}
        each.sent_at = time.monotonic()
        while not each.acked_at:
            each.tries += 1
            try:
                await log.publish(subject, each.document, headers=headers)
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError):
                await asyncio.sleep(0.1)
            else:
                each.acked_at = time.monotonic()
        self.longest_wait = max(self.longest_wait, each.acked_at - each.sent_at)


async def steady(url: str) -> Client:
    """A connection that comes again for ever and says nothing about it."""

    async def quiet(_: Exception) -> None:
        return

    while True:
        with contextlib.suppress(OSError, nats.errors.Error, TimeoutError):
            return await nats.connect(
                url.split(","),
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.1,
                ping_interval=2,
                max_outstanding_pings=2,
                error_cb=quiet,
            )
        await asyncio.sleep(0.1)
