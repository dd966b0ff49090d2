"""Criterion 2: gateways that die at a named point of a submission, each many times, in each kind of identity."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import signal
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from brokers import Alone
from clouds import TARGETS, cloud, gateway_environ
from endings import die_with_parent
from provider_laws import audit, read_journal
from scenarios import Trial, tell
from stored import how_many, last_sequence, stored
from upstreams import steady

from quire_contracts.batch import ExecuteBatch
from quire_emulator.entries import Applied, Entry
from quire_emulator.process import EmulatorProcess
from quire_emulator.rules import Rule
from quire_testing.batches import make_batch, make_slice
from quire_testing.executor_suite import TURN_MEASURED

POINTS = ("opened", "announced", "calling", "called", "heard", "submitted", "searched", "adopted", "polled", "fetched")
POINTS += ("stored",)

NEVER = {("token", "searched"), ("token", "adopted"), ("none", "searched"), ("none", "adopted")}
"""A token is called again instead of searched for, and without an identity there is nothing to search for."""

SHOTS = 10
_AT_POINT = 137
ANSWERS = ("quire.evt.shared.batch.executed.v1.*", "quire.evt.shared.batch.failed.v1.*")
PATIENCE_SECONDS = 90.0
STUCK_SECONDS = 120.0
"""A point without a crash for this long has no more to come: several quarantines, each begun anew by a crash."""

QUICK = {
    "BEGIN_CALL_SECONDS": "1",
    "CALL_SECONDS": "6",
    "SEARCH_SECONDS": "0.2",
    "POLL_SECONDS": "0.1",
    "POLL_MOST_SECONDS": "0.3",
    "BREAKER_OPEN_SECONDS": "1",
    "BREAKER_LONGEST_SECONDS": "2",
}
"""So that a quarantine of 8 s is longer than the longest call and the search lag together, as the protocol asks; and
that a breaker, which doubts open, soon lets the next submission through."""


class _Fault(msgspec.Struct):
    kind: str


class _Answer(msgspec.Struct):
    fault: _Fault | None = None


@dataclass
class Crew:
    """Two gateways: one that dies at a point whenever it comes there, and lives again at once; one that goes on.

    crashes: deaths at the point since it was armed.   strange: exit codes of deaths that nobody wished.
    """

    folder: Path
    environ: dict[str, str]
    crashes: int = 0
    strange: list[int] = field(default_factory=list)
    _point: str = ""
    _times: int = 1
    _alive: dict[int, str] = field(default_factory=dict)
    _unborn: deque[str] = field(default_factory=deque)
    _nursery: asyncio.subprocess.Process | None = None
    _hearing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the nursery and let both live."""
        self._nursery = await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(__file__).with_name("nursery.py"))),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **self.environ, "OPENBLAS_NUM_THREADS": "1"},
            preexec_fn=die_with_parent,
        )
        self._hearing = asyncio.create_task(self._hear())
        self._bear("heir")
        self._bear("victim")
        while self._unborn:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)

    def arm(self, point: str, times: int = 1) -> None:
        """The victim dies now, and from now on when it comes to this point for the `times`th time; "" lets it live."""
        self._point, self._times, self.crashes = point, times, 0
        for pid, name in self._alive.items():
            if name == "victim" and point:
                os.kill(pid, signal.SIGKILL)

    async def stop(self) -> None:
        """End all of them."""
        if self._nursery is not None and self._nursery.stdin is not None:
            self._nursery.stdin.close()
            await self._nursery.wait()
        if self._hearing is not None:
            await asyncio.gather(self._hearing, return_exceptions=True)

    def _bear(self, name: str) -> None:
        armed = name == "victim" and self._point
        environ = {"QUIRE_QUANTUM_GATEWAY_FAILPOINT": f"{self._point}:{self._times}"} if armed else {}
        wish = {"log": str(self.folder / f"{name}.log"), "environ": {**environ, "QUIRE_INSTANCE": name}}
        if self._nursery is not None and self._nursery.stdin is not None and not self._nursery.stdin.is_closing():
            self._nursery.stdin.write(json.dumps(wish).encode() + b"\n")
            self._unborn.append(name)

    async def _hear(self) -> None:
        if self._nursery is None or self._nursery.stdout is None:
            return
        while line := await self._nursery.stdout.readline():
            word = json.loads(line)
            if "code" not in word:
                self._alive[word["pid"]] = self._unborn.popleft()
                continue
            name, code = self._alive.pop(word["pid"]), word["code"]
            if name == "victim" and code == _AT_POINT:
                self.crashes += 1
            elif code != -signal.SIGKILL:
                self.strange.append(code)
            self._bear(name)


async def crash_points(trial: Trial) -> None:
    """Every point, so many crashes at each; the kinds of identity side by side, each in a house of its own."""
    async with asyncio.TaskGroup() as group:
        for mode in TARGETS:
            group.create_task(_in(trial, mode))


async def _in(trial: Trial, mode: str) -> None:
    """Every point, in one kind of identity."""
    folder, order = trial.folder / mode, random.Random(f"crash-points {mode} {trial.seed}")
    broker = Alone(folder)
    await broker.start()
    with cloud(folder, trial.seed, wait=(0.0, 0.1), lag=0.2) as emulator:
        identity = "none" if mode == "none" else "tag"
        environ = gateway_environ(emulator.url, identity=identity, quarantine=8.0)
        environ |= {f"QUIRE_QUANTUM_GATEWAY_{name}": value for name, value in QUICK.items()}
        environ |= {"QUIRE_NATS_URL": broker.url, "QUIRE_LOG_LEVEL": "error", "OTEL_SDK_DISABLED": "true"}
        crew = Crew(folder, environ)
        await crew.start()
        try:
            first = trial.size("first")
            for point in POINTS[first : first + trial.size("points")]:
                if (mode, point) not in NEVER:
                    await _at(trial, mode, point, broker, emulator, crew, order)
        finally:
            await crew.stop()
            broker.stop()
    if crew.strange:
        trial.report.remark(f"{mode}: gateways ended otherwise: {crew.strange[:10]}")
    trial.holds(f"{mode}: gateways that ended otherwise", len(crew.strange), 0)


async def _at(
    trial: Trial, mode: str, point: str, broker: Alone, emulator: EmulatorProcess, crew: Crew, order: random.Random
) -> None:
    """Crash at one point until it has been often enough, let everything end, and look at the ledger."""
    wished = trial.size("crashes")
    after, entries = await last_sequence(broker.url), len(emulator.entries())
    doubt = point in ("searched", "adopted")
    if doubt:
        emulator.arm(Rule(kind="timeout-applied", rate=0.5, answer="cut", id="doubt"))
    crew.arm(point, 1 + order.randrange(2))
    began = time.monotonic()
    batches = await _crash(trial, mode, point, broker.url, crew, order)
    crashes = crew.crashes
    crew.arm("")
    if doubt:
        emulator.disarm()
    ended = await _all_ended(broker.url, after, batches)
    journal = (await read_journal(broker.url, after)).only(batches)  # others may end late, which is lawful
    bill = audit(emulator.entries()[entries:], journal)
    jobs_of = _by_work(emulator.entries()[entries:])
    more = sum(count - 1 for count in jobs_of.values() if count > 1)
    states = Counter(one.state for one in journal.of.values())
    dead = await how_many(broker.url, ["quire.dead.>"], stream="QUIRE_DEAD")
    trial.report.row(
        identity=mode, point=point, crashes=crashes, batches=len(batches), provider_jobs=bill.applied, doubled=more,
        retrieved=states["retrieved"], parked=states["parked"],
        refused=list(ended.values()).count("offline"), open=len(batches) - len(ended),
        illegal=len(bill.illegal), dead=dead, seconds=round(time.monotonic() - began),
    )  # fmt: skip
    tell(f"crash-points: {mode} {point}: {crashes} crashes, {more} doubled, {states['parked']} parked")
    lacking = max(0, wished - crashes)
    trial.holds(f"{mode} {point}: crashes that did not come", lacking, 0)
    trial.holds(f"{mode} {point}: doubled", more + len(bill.doubled), 0)
    trial.holds(f"{mode} {point}: without an end", len(batches) - len(ended), 0)
    trial.holds(f"{mode} {point}: illegal steps", len(bill.illegal), 0)
    if mode != "none":
        # Where half of the calls are cut, a breaker opens, and what it refuses is answered without a call.
        refused = list(ended.values()).count("offline") if doubt else 0
        trial.holds(f"{mode} {point}: parked although there is an identity", states["parked"], 0)
        trial.holds(f"{mode} {point}: not retrieved", len(batches) - refused - states["retrieved"], 0)
        trial.holds(f"{mode} {point}: provider jobs not retrieved", bill.applied - states["retrieved"], 0)


async def _crash(trial: Trial, mode: str, point: str, url: str, crew: Crew, order: random.Random) -> list[str]:
    """Keep some batches in flight, each said twice, so that both gateways get it, until the victim has died enough."""
    batches: list[str] = []
    wished, in_flight = trial.size("crashes"), trial.size("in-flight")
    client = await steady(url)
    before = await how_many(url, ANSWERS)
    last, deaths = time.monotonic(), 0
    try:
        while crew.crashes < wished and time.monotonic() < last + STUCK_SECONDS:
            if crew.crashes > deaths:
                last, deaths = time.monotonic(), crew.crashes
            room = in_flight - (len(batches) - (await how_many(url, ANSWERS) - before))
            for _ in range(max(0, room)):
                number = len(batches)
                name = f"{mode}-{point}-{trial.seed}-{number}"
                await _say(client, name, mode, number, twice=order.random() < 0.5)
                batches.append(name)
            await asyncio.sleep(0.2)
    finally:
        await client.close()
    return batches


async def _say(client, name: str, mode: str, number: int, *, twice: bool) -> None:
    """Say the command that runs a batch; twice is what a redelivery to another gateway would be."""
    angle = math.pi + 1e-6 * number  # an angle of its own, by which its job is known in the ledger without identity
    work = [make_slice(name, [[angle]], seed=None)]
    batch = make_batch(TURN_MEASURED, work, target=TARGETS[mode], shots=SHOTS, batch_id=name)
    batch = msgspec.structs.replace(batch, formed_at=datetime.now(UTC))
    headers = {
        "ce-specversion": "1.0",
        "ce-id": name,
        "ce-source": "/chaos",
        "ce-type": "io.quire.batch.execute.v1",
        "ce-time": datetime.now(UTC).isoformat(),
        "content-type": "application/json",
    }
    body = msgspec.json.encode(ExecuteBatch(batch=batch))
    for _ in range(1 + twice):
        await client.jetstream().publish(f"quire.cmd.shared.batch.execute.v1.{name}", body, headers=headers)


async def _all_ended(url: str, after: int, batches: list[str]) -> dict[str, str]:
    """The batches that were answered, once all were or patience is over, and the kind of their fault, if any."""
    until, ended, wanted = time.monotonic() + PATIENCE_SECONDS, dict[str, str](), set(batches)
    while True:
        async for message in stored(url, ANSWERS, after=after):
            batch = message.subject.rpartition(".")[2]
            if batch in wanted:
                fault = msgspec.json.decode(message.data, type=_Answer).fault
                ended[batch] = fault.kind if fault else ""
        if ended.keys() >= wanted or time.monotonic() > until:
            return ended
        await asyncio.sleep(0.5)


def _by_work(entries: list[Entry]) -> Counter[str]:
    """Jobs at the provider by what they run: every batch has an angle of its own, so this needs no identity."""
    return Counter(f"{entry.order.body}{entry.order.parameters}" for entry in entries if isinstance(entry, Applied))
