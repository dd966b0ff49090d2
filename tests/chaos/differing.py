"""Services that differ: in their clocks, which leap while they run, and in their versions."""

from __future__ import annotations

import asyncio
import io
import struct
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

from paths import HERE, ROOT
from scenarios import MIX, Trial, house, submitting, tell, verdicts
from upstreams import jobs

LEAPS = (-3600.0, -60.0, 0.0, 60.0, 3600.0)
"""Seconds by which a clock may be ahead of the machine's."""


async def clocks(trial: Trial) -> None:
    """Clocks of single services leap by a minute or an hour, forth and back, again and again."""
    count, leaps = trial.size("jobs"), trial.size("leaps")
    wanted = list(jobs(trial.seed, count, MIX))
    files: dict[str, Path] = {}

    def launcher(name: str, package: str) -> list[str]:
        file = files.setdefault(name, trial.folder / f"{name}.clock")
        if not file.exists():
            file.write_bytes(struct.pack("d", 0.0))
        return [sys.executable, str(HERE / "skewed.py"), package, str(file)]

    async with house(trial, launcher=launcher) as home:
        hit: Counter[str] = Counter()
        async with submitting(trial, home, wanted, count / (leaps * 1.25)):
            for _ in range(leaps):
                await asyncio.sleep(trial.order.uniform(0.5, 2.0))
                name = trial.order.choice(sorted(files))
                ahead = trial.order.choice(LEAPS)
                with files[name].open("r+b") as file:
                    file.write(struct.pack("d", ahead))
                hit[name.rpartition("-")[0]] += 1
        trial.report.row(leaps=sum(hit.values()), **hit)
        trial.holds("deaths that were not wished", len(home.fleet.unwished()), 0)
        await verdicts(trial, home, wanted)


async def versions(trial: Trial) -> None:
    """Services of an older commit beside today's, each killed now and then so that messages change hands.

    Of each kind that has two replicas one is old; of the others every second one is.
    """
    count, kills = trial.size("jobs"), trial.size("kills")
    revision = await asyncio.to_thread(older_sources, trial.folder / "older", trial.size("back"))
    folders = [trial.folder / "older" / "contracts" / "src"]
    folders += [path for kind in ("libs", "services") for path in (trial.folder / "older" / kind).glob("*/src")]
    old_path = {"PYTHONPATH": ":".join(map(str, folders))}
    old = {"control-plane-0", "quantum-gateway-0", "preprocessing-0", "aggregation-0", "ledger-0"}

    wanted = list(jobs(trial.seed, count, MIX))
    async with house(trial, sources=lambda name: old_path if name in old else {}) as home:
        async with submitting(trial, home, wanted, count / (kills * 1.5 + 1)):
            for _ in range(kills):
                await asyncio.sleep(trial.order.uniform(1.0, 2.0))
                place = home.fleet.some(trial.order)
                if place is not None:
                    home.fleet.kill(place)
        trial.report.row(older=revision, services=", ".join(sorted(old)), kills=kills)
        trial.holds("deaths that were not wished", len(home.fleet.unwished()), 0)
        await verdicts(trial, home, wanted)


def older_sources(folder: Path, back: int) -> str:
    """Put the sources of a commit so far back into a folder; its name."""
    named = subprocess.run(
        ["git", "rev-parse", "--short", f"HEAD~{back}"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    packed = subprocess.run(
        ["git", "archive", named, "contracts", "libs", "services"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    tell(f"versions: {named} beside today's")
    return named
