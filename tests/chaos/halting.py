"""What stands still without dying: processes and the broker stopped (SIGSTOP), and links that are half open."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator

from brokers import Alone
from fleet import PACKAGES, REPLICAS
from links import Link
from scenarios import MIX, House, Trial, house, submitting, verdicts
from upstreams import jobs


async def freezes(trial: Trial) -> None:
    """Services stopped for 1 to 15 s, the broker for 1 to 8 s: who wakes up late must not undo what another did."""
    count, times = trial.size("jobs"), trial.size("freezes")
    wanted = list(jobs(trial.seed, count, MIX))
    hit: Counter[str] = Counter()
    async with house(trial) as home:
        async with submitting(trial, home, wanted, count / (times * 4)):
            for number in range(times):
                await asyncio.sleep(trial.order.uniform(0.5, 2.0))
                if number % 5 == 4 and isinstance(home.broker, Alone):
                    hit["broker"] += 1
                    await _stopped([home.broker.pid], trial.order.uniform(1, 8))
                    continue
                victim = home.fleet.some(trial.order)
                if victim is not None:
                    hit[victim.service] += 1
                    await _stopped([victim.pid], trial.order.uniform(1, 15))
        trial.report.row(frozen=sum(hit.values()), **hit)
        trial.holds("deaths that were not wished", len(home.fleet.unwished()), 0)
        await verdicts(trial, home, wanted)


async def _stopped(pids: list[int], seconds: float) -> None:
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGSTOP:
            await asyncio.sleep(seconds)


async def half_open(trial: Trial) -> None:
    """Each service reaches the broker by a link of its own, which stands still for a while or is reset."""
    count, times = trial.size("jobs"), trial.size("links")
    wanted = list(jobs(trial.seed, count, MIX))
    links: dict[str, Link] = {}
    hit: Counter[str] = Counter()
    names = [f"{service}-{number}" for service in PACKAGES for number in range(REPLICAS.get(service, 1))]

    async with _linked(trial, names, links) as home, contextlib.AsyncExitStack() as stack:
        for link in links.values():
            stack.push_async_callback(link.close)
        async with submitting(trial, home, wanted, count / (times * 4)):
            for _ in range(times):
                await asyncio.sleep(trial.order.uniform(0.5, 2.0))
                name = trial.order.choice(names)
                hit[name.rpartition("-")[0]] += 1
                if trial.order.random() < 0.25:
                    links[name].cut()
                else:
                    links[name].freeze()
                    await asyncio.sleep(trial.order.uniform(2, 12))
                    links[name].thaw()
        trial.report.row(links=sum(hit.values()), **hit)
        trial.holds("deaths that were not wished", len(home.fleet.unwished()), 0)
        await verdicts(trial, home, wanted)


@contextlib.asynccontextmanager
async def _linked(trial: Trial, names: list[str], links: dict[str, Link]) -> AsyncIterator[House]:
    """A house whose services reach the broker by `links`."""

    async def link_to(port: int) -> None:
        for name in names:
            links[name] = await Link.to(port)

    def url(name: str) -> str:
        return f"nats://127.0.0.1:{links[name].port}"

    async with house(trial, url=url, before=link_to) as home:
        yield home
