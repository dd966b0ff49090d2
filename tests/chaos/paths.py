"""Where the harness finds what it shares with the other tests: mirror circuits and the reports of benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def share() -> None:
    """Let `mirror` and `measure` be imported, wherever the harness is started from."""
    for folder in (HERE, ROOT / "tests" / "system", ROOT / "tests" / "benchmarks"):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


share()
