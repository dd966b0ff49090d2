"""The load goes up in steps and down again: the adaptive window beside fixed ones."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import nats
from circuits import small_circuits
from house import started
from measure import Report, command_line, median, quantile
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from quire.embedded import Embedded
from quire_contracts.load import LOAD_KEYS, LoadReport

TENANT, SHOTS = "steps", 200
STRUCTURES = small_circuits()
WARM_UP_JOBS = 50
P99_WITHIN, THROUGHPUT_WITHIN, SETTLES_SECONDS = 1.10, 0.95, 5.0
BIN_SECONDS = 0.5


@dataclass
class Life:
    """One job: its phase, when it was due, when it was published and when its end was heard (the monotonic clock)."""

    phase: int
    due: float
    published: float = 0.0
    ended: float = 0.0


Windows = list[tuple[float, float]]
"""When a window was reported (the monotonic clock), and how wide it was, in seconds."""


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    parser = command_line(__doc__ or "")
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[10, 100, 400, 10], help="jobs a second of each phase"
    )
    parser.add_argument("--seconds", type=float, default=0.0, help="of each phase; by default 4, with --full 10")
    parser.add_argument(
        "--windows", type=float, nargs="*", help="fixed windows, s; 0.005 and 0.05, --full also 0.02, 0.1"
    )
    arguments = parser.parse_args(given)
    seconds = arguments.seconds or (10.0 if arguments.full else 4.0)
    windows = arguments.windows
    if windows is None:
        windows = [0.005, 0.02, 0.05, 0.1] if arguments.full else [0.005, 0.05]
    report = Report("load_steps", arguments)
    plans: dict[str, dict[str, Any]] = {"adaptive": {}}
    plans |= {f"{window:g} s": {"QUIRE_BATCHING_FIXED_WINDOW_SECONDS": window} for window in windows}
    found: dict[str, list[dict[str, float]]] = {}
    for turn in range(arguments.repeats or (3 if arguments.full else 1)):
        order = list(plans.items())
        for name, settings in reversed(order) if turn % 2 else order:
            with started(settings) as quire:
                phases = asyncio.run(steps(quire, arguments.rates, seconds))
            for phase, (rate, row) in enumerate(zip(arguments.rates, phases, strict=True)):
                report.row(window=name, turn=turn, phase=phase, asked_per_s=rate, **row)
            found.setdefault(name, []).extend({**row, "phase": phase} for phase, row in enumerate(phases))
    judge(report, found, len(arguments.rates))
    report.remark(f"{seconds:g} s a phase; from a job's due time to its end, so a late publisher counts; settled: from")
    report.remark("the step until each half second's median stays below twice the second half's; every job ended once")
    report.remark(
        "limits compare medians over the turns, with the best of the fixed windows, phase by phase; a phase that"
    )
    report.remark("ends fewer than it was offered is beyond what this machine can do now, whatever the window")
    report.finish()


def judge(report: Report, found: Mapping[str, list[dict[str, float]]], phases: int) -> None:
    """Adaptive against the best of the fixed windows, phase by phase."""
    fixed = {name: rows for name, rows in found.items() if name != "adaptive"}
    for phase in range(phases):

        def of(name: str, figure: str, phase: int = phase) -> float:
            return median([row[figure] for row in found[name] if row["phase"] == phase])

        if fixed:
            best = min(of(name, "p99_ms") for name in fixed)
            report.at_most(f"phase {phase}: p99 of the best fixed window", of("adaptive", "p99_ms") / best, P99_WITHIN)
            most = max(of(name, "ended_per_s") for name in fixed)
            share = of("adaptive", "ended_per_s") / most
            report.at_least(f"phase {phase}: throughput of the best fixed window", share, THROUGHPUT_WITHIN)
        report.at_most(f"phase {phase}: seconds to settle", of("adaptive", "settled_s"), SETTLES_SECONDS)


async def steps(quire: Embedded, rates: Sequence[float], seconds: float) -> list[dict[str, float]]:
    """Publish at each rate in turn, on a timetable that does not wait for answers; each phase's figures.

    The warm-up may take minutes: in a new tree numba compiles the engine first.

    Raises:
        RuntimeError: if a job did not end within a minute after the last phase, or ended twice.
    """
    client = await nats.connect(quire.nats)
    log, lives, ends = client.jetstream(publish_async_max_pending=4_096), dict[str, Life](), list[str]()

    async def ended(message: Msg) -> None:
        job = message.subject.rpartition(".")[2]
        ends.append(job)
        lives[job].ended = time.monotonic()

    # Not an ordered consumer: nats-py makes that anew, losing some of it, where heartbeats come late under load.
    unacknowledged = ConsumerConfig(ack_policy=AckPolicy.NONE)
    await log.subscribe(f"quire.evt.{TENANT}.job.completed.v1.*", cb=ended, config=unacknowledged, manual_ack=True)
    windows = Windows()

    async def reported(message: Msg) -> None:
        loads = msgspec.json.decode(message.data, type=LoadReport).targets
        windows.extend((time.monotonic(), load.window_seconds) for load in loads if load.target == "simulation")

    await client.subscribe(f"$KV.backends.{LOAD_KEYS}>", cb=reported)
    numbers = iter(range(10**9))
    for _ in range(WARM_UP_JOBS):
        await send(log, lives, Life(-1, time.monotonic()), next(numbers))
    await until(lambda: len(ends) == len(lives), "the end of the warm-up", within=300)
    began, at = time.monotonic() + 0.5, 0.0
    for phase, rate in enumerate(rates):
        for index in range(int(rate * seconds)):
            due = began + at + index / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await send(log, lives, Life(phase, due), next(numbers))
        at += seconds
    await until(lambda: len(ends) >= len(lives), "the end of every job")
    if len(ends) != len(set(ends)):
        raise RuntimeError("a job ended twice")
    await client.close()
    starts = [began + phase * seconds for phase in range(len(rates))]
    return [
        figures([life for life in lives.values() if life.phase == phase], windows, start, seconds)
        for phase, start in enumerate(starts)
    ]


def figures(lives: Sequence[Life], windows: Windows, start: float, seconds: float) -> dict[str, float]:
    """One phase's row; the window is the median of the reports in its second half."""
    late = [life.ended - life.due for life in lives]
    usual = median([life.ended - life.due for life in lives if life.due >= start + seconds / 2])
    settled = 0.0
    for edge in [start + BIN_SECONDS * number for number in range(int(seconds / BIN_SECONDS))]:
        part = [life.ended - life.due for life in lives if edge <= life.due < edge + BIN_SECONDS]
        if part and median(part) > 2 * usual:
            settled = edge + BIN_SECONDS - start
    later = [window for at, window in windows if start + seconds / 2 <= at < start + seconds]
    return {
        "offered_per_s": len(lives) / max(seconds, max(life.published for life in lives) - start),
        "ended_per_s": len(lives) / (max(life.ended for life in lives) - start),
        "p50_ms": 1e3 * median(late),
        "p99_ms": 1e3 * quantile(late, 0.99),
        "settled_s": settled,
        "window_ms": 1e3 * median(later),
    }


async def until(condition: Any, what: str, within: float = 60.0) -> None:
    """Wait for a condition.

    Raises:
        RuntimeError: if it does not come true in time.
    """
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {within:g} s: {what}")
        await asyncio.sleep(0.02)


async def send(log: Any, lives: dict[str, Life], life: Life, number: int) -> None:
    """Publish one small job; the structures go round."""
    ansatz = STRUCTURES[number % len(STRUCTURES)]
    program = ansatz.qasm(measured=True, angles=ansatz.draw(1, number)[0])
    job = str(uuid.uuid4())
    lives[job] = life
    document = {"kind": "sample", "program": program, "shots": SHOTS, "targets": ["simulation"]}
    headers = {"ce-specversion": "1.0", "ce-id": job, "ce-source": "/bench", "ce-type": "io.quire.job.submit.v1"}
    body = msgspec.json.encode(document)
    life.published = time.monotonic()
    await log.publish_async(f"quire.cmd.{TENANT}.job.submit.v1.{job}", body, headers=headers)


if __name__ == "__main__":
    main()
