"""Criterion 4: three nodes that write to the disk before they acknowledge; leaders die and are cut off under load."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field

from brokers import Cluster
from measure import quantile
from scenarios import Trial, tell
from stored import stored

from quire_bus.connection import BusSettings, Connection, connect
from quire_bus.store import Part
from quire_resilience.errors import QuireError

WRITERS = 4
LONGEST_STALL_SECONDS = 60.0
WORST_TOLD = 8
MARKS = "quire.rec.chaos.mark.*"


@dataclass
class Marks:
    """Writers that store numbered records as services do, each by its own connection, until each is acknowledged.

    acked: the numbers the broker has acknowledged.   stalls: seconds from asking to acknowledgement, the long ones.
    """

    url: str
    rate: float
    acked: set[int] = field(default_factory=set)
    stalls: list[tuple[float, float]] = field(default_factory=list)
    over: bool = False
    _last: dict[int, float] = field(default_factory=dict)
    _next: int = 0

    async def run(self) -> None:
        """Write until it is over."""
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(self._write(number))

    async def all_heard(self) -> None:
        """Wait until each writer has had an acknowledgement from now on, or has waited for as long as it may."""
        since = time.monotonic()
        while min(self._last.get(writer, 0.0) for writer in range(WRITERS)) < since and not self.over:
            if time.monotonic() > since + LONGEST_STALL_SECONDS:
                return
            await asyncio.sleep(0.05)

    async def _write(self, number: int) -> None:
        connection = await connect(BusSettings(url=self.url, name=f"chaos-{number}"), on_fatal=lambda _: None)
        pause = WRITERS / self.rate
        try:
            while not self.over:
                began = time.monotonic()
                mark, self._next = self._next, self._next + 1
                await self._until_acked(connection, mark)
                self._last[number] = time.monotonic()
                took = self._last[number] - began
                self.acked.add(mark)
                if took > 1:
                    self.stalls.append((began, took))
                await asyncio.sleep(max(0.0, pause - took))
        finally:
            await connection.close()

    async def _until_acked(self, connection: Connection, mark: int) -> None:
        part = Part(f"quire.rec.chaos.mark.{mark}", b'{"mark":%d}' % mark, id=f"mark-{mark}")
        while True:
            with contextlib.suppress(QuireError):
                await connection.store.write([part])
                return
            await asyncio.sleep(0.05)


async def cluster(trial: Trial) -> None:
    """Leader kills, then partitions: the leader or another node cut off, with or without its clients, or stopped."""
    broker = Cluster(trial.folder)
    await broker.start()
    marks = Marks(broker.url, trial.sizes["rate"])
    writing = asyncio.create_task(marks.run())
    elections: list[float] = []
    behind = 0
    try:
        for number in range(trial.size("leader-kills")):
            leader = await broker.wait_leader()
            began = time.monotonic()
            killing = asyncio.create_task(broker.kill(leader, trial.order.uniform(0.5, 4.0)))
            await broker.wait_leader(but=leader, until=killing)
            elections.append(time.monotonic() - began)
            await killing
            behind += not await _calm(broker, marks)
            if number % 10 == 9:
                tell(f"cluster: {number + 1} leader kills, {len(marks.acked)} messages acknowledged")
        after_kills = len(marks.stalls)
        cuts: list[Cut] = []
        for number in range(trial.size("partitions")):
            cuts.append(await _cut(trial, broker))
            behind += not await _calm(broker, marks)
            if number % 10 == 9:
                tell(f"cluster: {number + 1} partitions, {len(marks.acked)} messages acknowledged")
        marks.over = True
        await asyncio.wait([writing], timeout=LONGEST_STALL_SECONDS)
        stuck = not writing.done()
        if not stuck:
            writing.result()  # a writer that failed wrote little, of which nothing would be lost
    except BaseException:
        await broker.stop()
        raise
    finally:
        writing.cancel()
    try:
        found = Counter([message.subject.rpartition(".")[2] async for message in stored(broker.url, [MARKS])])
    finally:
        await broker.stop()
    lost = [mark for mark in marks.acked if str(mark) not in found]
    of_kills = [took for _, took in marks.stalls[:after_kills]]
    of_cuts = [took for _, took in marks.stalls[after_kills:]]
    trial.report.row(
        leader_kills=trial.size("leader-kills"), partitions=len(cuts), acknowledged=len(marks.acked),
        lost=len(lost), copies_a_minute_behind=behind,
        stored_twice=sum(count > 1 for count in found.values()),
        election_p50=quantile(elections, 0.5),
        longest_stall_kills=max(of_kills, default=0.0), longest_stall_cuts=max(of_cuts, default=0.0),
    )  # fmt: skip
    for kind, number in Counter(cut.kind for cut in cuts).items():
        trial.report.row(cut=kind, times=number)
    for began, took in sorted(marks.stalls[after_kills:], key=lambda stall: -stall[1])[:WORST_TOLD]:
        met = [cut.told_from(began) for cut in cuts if cut.met(began, took)]
        trial.report.row(stalled_s=took, cut_meanwhile_s=", ".join(met))
    trial.holds("acknowledged messages lost", len(lost), 0)
    trial.holds("writers that never had an acknowledgement again", stuck, 0)
    trial.holds("seconds of the longest stall, leader kills", max(of_kills, default=0.0), 15)
    trial.holds("seconds of the longest stall, partitions", max(of_cuts, default=0.0), 15)


async def _calm(broker: Cluster, marks: Marks) -> bool:
    """Wait until a fault is over for copies and for who writes, so that the next one is its own; whether copies are."""
    current = await broker.synced()
    await marks.all_heard()
    return current


@dataclass(frozen=True)
class Cut:
    """What was cut, when (the monotonic clock), and until when."""

    kind: str
    began: float
    ended: float

    def met(self, began: float, took: float) -> bool:
        """Whether some of it was in that time."""
        return self.began < began + took and began < self.ended

    def told_from(self, began: float) -> str:
        """What was cut, from and to when, in seconds after that time."""
        return f"{self.kind} {self.began - began:+.1f} to {self.ended - began:+.1f}"


async def _cut(trial: Trial, broker: Cluster) -> Cut:
    """One partition."""
    leader = await broker.wait_leader()
    number = leader if trial.order.random() < 0.5 else (leader + 1 + trial.order.randrange(2)) % 3
    seconds = trial.order.uniform(5.0, 10.0)
    kind, began = trial.order.choice(("machine", "routes", "paused")), time.monotonic()
    if kind == "paused":
        await broker.pause(number, seconds)
    else:
        await broker.cut_off(number, seconds, clients=kind == "machine")
    whose = "leader" if number == leader else "follower"
    return Cut(f"{kind} of {whose}", began, time.monotonic())
