"""`just bench [name...]`: the benchmarks named, or all of them, one after the other, and which limits held."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from measure import HERE, say

NAMES = ("sweep", "small_jobs", "load_steps", "loop", "latency", "gateway", "engine", "mitigation", "start_and_size")
"""In the order in which they run; `tests/benchmarks/README.md` says what each is."""


def main() -> int:
    """Run them; 1 if one of them broke. A missed limit is a figure, not a failure."""
    parser = argparse.ArgumentParser(prog="just bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; none is all")
    parser.add_argument("--full", action="store_true", help="the sizes that the limits are stated for")
    parser.add_argument("--repeats", type=int, default=0, help="timed runs of each; 0 is each one's own choice")
    parser.add_argument("--results", default=str(HERE / "results"), help="the folder for the JSON")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"there is no benchmark called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    broken, verdicts = [], []
    for name in arguments.names or NAMES:
        options = ["--results", arguments.results, "--repeats", str(arguments.repeats)]
        options += ["--full"] if arguments.full else []
        if subprocess.run([sys.executable, str(HERE / f"{name}.py"), *options], check=False).returncode:
            broken.append(name)
        else:
            found = json.loads((HERE / arguments.results / f"{name}.json").read_text(encoding="utf-8"))
            verdicts += [(limit["holds"], f"{name}: {limit['name']}") for limit in found["limits"]]
    missed = [name for holds, name in verdicts if not holds]
    say(f"\n{len(verdicts) - len(missed)} of {len(verdicts)} limits hold")
    for name in missed:
        say(f"  missed: {name}")
    for name in broken:
        say(f"  broke: {name}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
