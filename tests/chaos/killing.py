"""Processes that die: kill -9 at random under load, one at a time with the time to recover, and SIGTERM under load."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter

import nats.errors
import nats.js.errors
from brokers import Alone
from fleet import PACKAGES, Place, is_ready
from measure import quantile
from scenarios import MIX, House, Trial, house, submitting, tell, verdicts
from stored import ENDED, stored
from upstreams import Publisher, Wanted, jobs

EVERY = (0.3, 2.0)
"""Seconds between two kills."""

LONGEST_RECOVERY = 60.0
STOP_SECONDS = 12.0
"""The five seconds of grace that the harness gives services, and some more for the machine."""


async def kills(trial: Trial) -> None:
    """Criterion 1: services and the broker killed at random while jobs come in all the time."""
    count = trial.size("jobs")
    wanted = list(jobs(trial.seed, count, MIX))
    plan = ["service"] * trial.size("kills") + ["broker"] * trial.size("broker-kills")
    trial.order.shuffle(plan)
    hit: Counter[str] = Counter()
    async with house(trial) as home:
        async with submitting(trial, home, wanted, count / max(1.0, sum(EVERY) / 2 * len(plan))) as publisher:
            for number, victim in enumerate(plan, 1):
                await asyncio.sleep(trial.order.uniform(*EVERY))
                hit[await _kill(trial, home, victim)] += 1
                if number % 25 == 0:
                    tell(f"kills: {number} of {len(plan)}, {len(publisher.acked)} of {count} jobs submitted")
            last = time.monotonic()
        trial.report.row(kills=sum(hit.values()), **dict(sorted(hit.items())))
        trial.holds("seconds from the last kill to the last end", time.monotonic() - last, 120)
        trial.holds("deaths that were no kill", len(home.fleet.unwished()), 0)
        if home.fleet.unwished():
            trial.report.remark(f"died without a kill: {home.fleet.unwished()[:5]}")
        await verdicts(trial, home, wanted)


async def _kill(trial: Trial, home: House, victim: str) -> str:
    if victim == "broker" and isinstance(home.broker, Alone):
        await home.broker.kill(trial.order.uniform(0.0, 0.5))
        return "broker"
    while True:
        place = home.fleet.some(trial.order)
        if place is not None and home.fleet.kill(place):
            return place.service
        await asyncio.sleep(0.05)


async def recovery(trial: Trial) -> None:
    """Criterion 5: after one kill, until every job from before it and one from after it has ended.

    Jobs come in at a steady, light rate meanwhile. All replicas of a service are killed at once. No service may need a
    restart after one of the broker.
    """
    rounds, took, restarted = trial.size("rounds"), dict[str, list[float]](), 0
    victims = [*PACKAGES, "broker"] * rounds
    trial.order.shuffle(victims)
    async with house(trial) as home:
        light = Light(home, trial.seed)
        steady = asyncio.create_task(light.run())
        try:
            await light.calm()
            for number, victim in enumerate(victims, 1):
                before, alive = light.sent, _pids(home)
                began = time.monotonic()
                if victim == "broker" and isinstance(home.broker, Alone):
                    await home.broker.kill(0.0)
                else:
                    for place in home.fleet.of(victim):
                        home.fleet.kill(place)
                took.setdefault(victim, []).append(await light.caught_up(before + 1, began))
                restarted += len(alive - _pids(home)) if victim == "broker" else 0
                await home.fleet.ready()
                await light.calm()
                tell(f"recovery: {number} of {len(victims)}: {victim} {took[victim][-1]:.1f} s")
        finally:
            light.over = True
            await steady
            await light.calm()
        every = [seconds for found in took.values() for seconds in found]
        for victim, found in took.items():
            trial.report.row(killed=victim, times=len(found), median_s=quantile(found, 0.5), most_s=max(found))
        trial.holds("seconds of recovery, p99", quantile(every, 0.99), 15)
        trial.holds("services that a restart of the broker ended", restarted, 0)
        await verdicts(trial, home, light.wanted)


class Light:
    """Four jobs a second, one at a time, and how far they have come."""

    def __init__(self, home: House, seed: int) -> None:
        self._home, self._jobs = home, jobs(seed, 100_000, MIX)
        self.wanted: list[Wanted] = []
        self.over = False
        self._ended: set[str] = set()
        self._seen = 0

    @property
    def sent(self) -> int:
        """How many were submitted."""
        return len(self.wanted)

    async def run(self) -> None:
        """Submit until it is over."""
        while not self.over:
            each = next(self._jobs)
            self.wanted.append(each)
            publisher = Publisher(self._home.url, [each])
            await publisher.run()
            await asyncio.sleep(0.25)

    async def caught_up(self, count: int, began: float) -> float:
        """Seconds from `began` until so many jobs were submitted and each of them has ended."""
        while time.monotonic() < began + LONGEST_RECOVERY:
            with contextlib.suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError):
                async for message in stored(self._home.url, ENDED, after=self._seen):
                    self._ended.add(message.subject.rpartition(".")[2])
                    self._seen = message.metadata.sequence.stream
            if self.sent >= count and self._ended.issuperset(each.job for each in self.wanted[:count]):
                break
            await asyncio.sleep(0.2)
        return time.monotonic() - began

    async def calm(self) -> None:
        """Wait until nothing is left undone."""
        await self.caught_up(self.sent, time.monotonic())


def _pids(home: House) -> set[tuple[str, int]]:
    return {(place.name, place.pid) for place in home.fleet.places}


async def stops(trial: Trial) -> None:
    """SIGTERM at random under load: each process ends in order and in time, and nothing is lost."""
    count, times = trial.size("jobs"), trial.size("stops")
    wanted = list(jobs(trial.seed, count, MIX))
    slow: list[float] = []
    async with house(trial) as home:
        async with submitting(trial, home, wanted, count / (times * 1.25)):
            for _ in range(times):
                await asyncio.sleep(trial.order.uniform(0.5, 2.0))
                place = home.fleet.some(trial.order)
                if place is not None and await is_ready(place.port):
                    slow.append(await _stop(home, place))
        codes = Counter(code for place in home.fleet.places for _, code, wished in place.ended if wished)
        trial.report.row(
            stops=len(slow), exit_0=codes[0], others=str({c: n for c, n in codes.items() if c}), longest_s=max(slow)
        )
        trial.holds("stops that were not orderly", len(slow) - codes[0], 0)
        trial.holds("seconds of the longest stop", max(slow), STOP_SECONDS)
        await verdicts(trial, home, wanted)


async def _stop(home: House, place: Place) -> float:
    """Send SIGTERM and wait for the end; seconds."""
    began, ends = time.monotonic(), len(place.ended)
    home.fleet.kill(place, signal.SIGTERM)
    while len(place.ended) == ends and time.monotonic() < began + LONGEST_RECOVERY:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
    return time.monotonic() - began
