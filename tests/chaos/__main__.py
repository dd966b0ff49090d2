"""`just chaos [scenario...]`: break the whole thing in a way that can be repeated, and say in one table what held."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import paths
from crash_points import crash_points
from differing import clocks, versions
from disks import full_disk
from halting import freezes, half_open
from killing import kills, recovery, stops
from measure import load, machine, say, shown, table
from nodes import cluster
from poisons import poison, repeats
from rounds import every_round
from scenarios import Trial, trial_of
from storms import all_down, provider_storm


@dataclass(frozen=True)
class Scenario:
    """One way to break things: the criterion of issue 4 that it measures, and its sizes, short and full."""

    run: Callable[[Trial], Awaitable[None]]
    criterion: str
    short: dict[str, float]
    full: dict[str, float]


SCENARIOS = {
    "kills": Scenario(
        kills,
        "1",
        {"jobs": 200, "kills": 20, "broker-kills": 3},
        {"jobs": 10_000, "kills": 500, "broker-kills": 50},
    ),
    "crash-points": Scenario(
        crash_points,
        "2",
        {"crashes": 3, "in-flight": 12, "first": 0, "points": 11},
        {"crashes": 100, "in-flight": 40, "first": 0, "points": 11},
    ),
    "storm": Scenario(provider_storm, "3", {"jobs": 300, "rate": 8}, {"jobs": 5_000, "rate": 20}),
    "cluster": Scenario(
        cluster,
        "4",
        {"leader-kills": 4, "partitions": 3, "rate": 100},
        {"leader-kills": 100, "partitions": 50, "rate": 100},
    ),
    "recovery": Scenario(recovery, "5", {"rounds": 1}, {"rounds": 12}),
    "rounds": Scenario(
        every_round, "", {"optimizers": 8, "first": 0, "rounds": 5}, {"optimizers": 8, "first": 0, "rounds": 20}
    ),
    "all-down": Scenario(all_down, "7", {"jobs": 90, "seconds": 30}, {"jobs": 1_000, "seconds": 60}),
    "poison": Scenario(
        poison, "8", {"jobs": 400, "rate": 10, "poisons": 37}, {"jobs": 1_500, "rate": 15, "poisons": 140}
    ),
    "freezes": Scenario(freezes, "", {"jobs": 60, "freezes": 5}, {"jobs": 1_500, "freezes": 100}),
    "half-open": Scenario(half_open, "", {"jobs": 60, "links": 5}, {"jobs": 1_500, "links": 100}),
    "repeats": Scenario(
        repeats, "", {"jobs": 100, "rate": 15, "share": 0.5}, {"jobs": 2_000, "rate": 25, "share": 1.0}
    ),
    "full-disk": Scenario(
        full_disk, "", {"jobs": 80, "mib": 512, "seconds": 10}, {"jobs": 800, "mib": 512, "seconds": 60}
    ),
    "clocks": Scenario(clocks, "", {"jobs": 80, "leaps": 10}, {"jobs": 1_500, "leaps": 150}),
    "stops": Scenario(stops, "", {"jobs": 80, "stops": 8}, {"jobs": 2_000, "stops": 200}),
    "versions": Scenario(versions, "", {"jobs": 80, "kills": 8, "back": 40}, {"jobs": 1_500, "kills": 100, "back": 40}),
}
"""In the order in which they run; `tests/chaos/README.md` says what each does."""


def main() -> int:
    """Run the scenarios named, or all; 1 if a law was broken or a scenario did not come to its end."""
    parser = argparse.ArgumentParser(prog="just chaos", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="scenario", help=f"of {', '.join(SCENARIOS)}; none is all")
    parser.add_argument("--full", action="store_true", help="the sizes that the criteria are stated for")
    parser.add_argument("--seed", type=int, default=0, help="of a run to repeat; 0 draws one")
    parser.add_argument(
        "--size", action="append", default=[], metavar="NAME=NUMBER", help="another size, as in jobs=50"
    )
    parser.add_argument("--results", type=Path, default=paths.HERE / "results", help="the folder for the JSON")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(SCENARIOS))
    if unknown:
        parser.error(f"there is no scenario called {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    seed = arguments.seed or random.SystemRandom().randrange(1, 2**31)
    arguments.seed = seed
    given = dict(one.split("=", 1) for one in arguments.size)
    say(f"seed {seed}")
    found = [
        run(name, seed, {key: float(value) for key, value in given.items()}, arguments)
        for name in arguments.names or SCENARIOS
    ]
    say("\nAll scenarios")
    say(table(found))
    whole = {"seed": seed, "machine": machine(), "load_after": load(), "scenarios": found}
    (arguments.results / "chaos.json").write_text(json.dumps(whole, indent=1, default=str) + "\n", encoding="utf-8")
    return int(any(row["verdict"] != "passed" for row in found))


def run(name: str, seed: int, given: dict[str, float], arguments: argparse.Namespace) -> dict[str, object]:
    """One scenario: its line of the last table."""
    scenario = SCENARIOS[name]
    sizes = dict(scenario.full if arguments.full else scenario.short)
    sizes |= {key: value for key, value in given.items() if key in sizes}
    say(f"\n{name} ...")
    with trial_of(name, sizes, seed, arguments) as trial:
        broke = ""
        try:
            asyncio.run(scenario.run(trial))
        except Exception as error:  # noqa: BLE001 - the other scenarios still run
            broke = f"{type(error).__name__}: {error}"
            trial.report.remark(f"it did not come to its end: {broke[:600]}")
            trial.holds("scenarios that did not come to their end", 1, 0)
    trial.report.finish()
    missed = [limit for limit in trial.report.limits if not limit.holds]
    return {
        "scenario": name,
        "criterion": scenario.criterion or "-",
        "verdict": "passed" if not missed else "FAILED",
        "laws": len(trial.report.limits),
        "broken": "; ".join(f"{each.name} {shown(each.measured)}" for each in missed[:3])[:100],
        "repeat": f"just chaos {name} --seed {seed}" + (" --full" if arguments.full else ""),
    }


if __name__ == "__main__":
    sys.exit(main())
