"""What every scenario is given and gives back: its sizes and seed, a house to break, and a report with verdicts."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from brokers import Alone, Cluster
from clouds import cloud, gateway_environ
from fleet import REPLICAS, Fleet
from job_laws import Verdict, judge, read_lives
from measure import Report, say
from provider_laws import Bill, audit, read_journal
from stored import how_many, until_ended
from upstreams import Publisher, Wanted

from quire_emulator.process import EmulatorProcess

PATIENCE_SECONDS = 300.0
MIX = {"aws:forte": 0.35, "ibm:ibm_manila": 0.35, "simulation": 0.3}
"""Where jobs run: a provider with tokens, one with tags, and the simulator."""


@dataclass
class Trial:
    """One run of one scenario.

    sizes: by name, as the command line has them.   seed: everything that is drawn follows from it.
    """

    name: str
    sizes: Mapping[str, float]
    seed: int
    folder: Path
    report: Report
    order: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Begin the draws."""
        self.order = random.Random(f"{self.name} {self.seed}")

    def size(self, name: str) -> int:
        """A size that counts."""
        return int(self.sizes[name])

    def holds(self, name: str, measured: float, bound: float) -> None:
        """A figure that may be at most `bound`."""
        self.report.at_most(name, float(measured), float(bound))


@dataclass
class House:
    """A broker, a cloud and every service."""

    broker: Alone | Cluster
    cloud: EmulatorProcess
    fleet: Fleet

    @property
    def url(self) -> str:
        """The broker's address."""
        return self.broker.url


@contextlib.asynccontextmanager
async def house(
    trial: Trial,
    *,
    environ: Mapping[str, str] = {},
    replicas: Mapping[str, int] = REPLICAS,
    cluster: bool = False,
    lag: float = 0.2,
    wait: tuple[float, float] = (0.0, 0.2),
    before: Callable[[int], Awaitable[None]] | None = None,
    config: str = "",
    **fleet: object,
) -> AsyncIterator[House]:
    """A house of its own for a trial.

    environ: settings of the services instead of the harness's.   before: called with the broker's port before they
    start.   config: more lines for the broker's configuration.   fleet: options of `Fleet`.
    """
    broker = Cluster(trial.folder) if cluster else Alone(trial.folder, config)
    await broker.start()
    if before is not None:
        await before(int(broker.url.rpartition(":")[2]))
    try:
        with cloud(trial.folder, trial.seed, lag=lag, wait=wait) as emulator:
            settings = gateway_environ(emulator.url) | dict(environ)
            url = fleet.pop("url", broker.url)
            async with Fleet(trial.folder, url, settings, replicas=replicas, **fleet) as services:  # type: ignore[arg-type]
                yield House(broker, emulator, services)
    finally:
        stopped = broker.stop()
        if stopped is not None:
            await stopped


async def verdicts(
    trial: Trial, home: House, wanted: list[Wanted], *, classical: bool = False, failures: bool = False
) -> tuple[Verdict, Bill]:
    """Read log and ledger, write the figures down, and hold them against the laws that hold in every scenario."""
    verdict = judge(await read_lives(home.url), wanted, classical=classical)
    bill = audit(home.cloud.entries(), await read_journal(home.url))
    trial.report.row(scenario=trial.name, **verdict.row())
    trial.report.row(scenario=trial.name, **bill.row())
    laws(trial, verdict, bill, failures=failures)
    return verdict, bill


def laws(trial: Trial, verdict: Verdict, bill: Bill, *, failures: bool = False) -> None:
    """What must hold whatever was broken; with `failures` jobs may fail, each with its reason."""
    trial.holds("jobs lost", len(verdict.lost), 0)
    trial.holds("jobs not ended", len(verdict.unfinished), 0)
    trial.holds("jobs ended twice", len(verdict.twice), 0)
    trial.holds("wrong answers", len(verdict.wrong), 0)
    trial.holds("illegal transitions of jobs", len(verdict.illegal), 0)
    trial.holds("submissions doubled at the provider", len(bill.doubled) + len(bill.paid_twice), 0)
    trial.holds("provider jobs of no known submission", len(bill.strangers), 0)
    trial.holds("illegal steps of submissions", len(bill.illegal), 0)
    trial.holds("share of jobs parked", len(verdict.parked) / max(1, verdict.wanted), 0.001)
    others = {code: count for code, count in verdict.failed.items() if code != "submission-parked"}
    if failures:
        trial.report.remark(f"failed with a reason: {others or 'none'}")
    else:
        trial.holds("jobs that failed", sum(others.values()), 0)
    examples = {
        "lost": verdict.lost, "not ended": verdict.unfinished, "twice": verdict.twice, "wrong": verdict.wrong,
        "illegal": list(verdict.illegal.items()), "failed": list(others.items()), "doubled": bill.doubled,
        "paid twice": bill.paid_twice, "strangers": bill.strangers, "steps": list(bill.illegal.items()),
    }  # fmt: skip
    for name, found in examples.items():
        if found:
            trial.report.remark(f"{name}: {found[:5]}")


@contextlib.contextmanager
def trial_of(name: str, sizes: Mapping[str, float], seed: int, arguments: argparse.Namespace) -> Iterator[Trial]:
    """A trial in a folder of its own, which stays if a law was broken."""
    report = Report(name, arguments)
    folder = Path(tempfile.mkdtemp(prefix=f"quire-chaos-{name}-"))
    trial = Trial(name, sizes, seed, folder, report)
    report.remark(f"seed {seed}; sizes {', '.join(f'{key} {value:g}' for key, value in sizes.items())}")
    yield trial
    if all(limit.holds for limit in report.limits):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        report.remark(f"what it left is in {folder}")


@contextlib.asynccontextmanager
async def submitting(trial: Trial, home: House, wanted: list[Wanted], rate: float) -> AsyncIterator[Publisher]:
    """Jobs submitted at a rate while the block lasts and until all were taken; then the wait for their ends.

    The seconds from the end of the block to the last job's end are written down.
    """
    publisher, earlier = Publisher(home.url, wanted, rate), await how_many(home.url)
    publishing = asyncio.create_task(publisher.run())
    try:
        yield publisher
        began = time.monotonic()
        await publishing
        tell(f"{trial.name}: all {len(wanted)} jobs are submitted; waiting for their ends")
        await until_ended(home.url, earlier + len(wanted), seconds=PATIENCE_SECONDS)
        trial.report.row(scenario=trial.name, **{"drained after s": round(time.monotonic() - began, 1)})
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


def tell(text: str) -> None:
    """A line of progress."""
    say(f"  {text}")
