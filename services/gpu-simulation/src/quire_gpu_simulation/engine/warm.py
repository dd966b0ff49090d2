"""The engine compiled ahead of its first sweep: `python -m quire_gpu_simulation.engine.warm [double] [single]`.

It takes a dozen seconds for each precision, once on a machine; what is compiled stays in numba's cache (see `jit`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, get_args

from quire_gpu_simulation.settings import Precision, Settings
from quire_gpu_simulation.simulators import open_engine
from quire_plane.warming import smallest_work
from quire_resilience.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence


def warm(precision: Precision) -> None:
    """Run the smallest work there is; everything is compiled with it."""
    engine = open_engine(Settings(device="cpu", precision=precision, engine_threads=1), SystemClock())
    try:
        engine.execute(smallest_work())
    finally:
        engine.close()


def main(arguments: Sequence[str]) -> None:
    """Warm the named precisions, or `double` alone.

    Raises:
        SystemExit: a name is no precision.
    """
    known: dict[str, Precision] = {each: each for each in get_args(Precision)}
    for name in arguments or ["double"]:
        if name not in known:
            raise SystemExit(f"{name} is none of {', '.join(known)}")
        warm(known[name])


if __name__ == "__main__":
    main(sys.argv[1:])
