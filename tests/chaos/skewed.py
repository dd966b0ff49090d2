"""Runs a service whose wall clock is moved while it runs: `python skewed.py <package> <file>`.

The file holds one number of eight bytes, the seconds that the clock is ahead. Timers go on as they are: what leaps when
an operator or NTP sets a machine's clock is the wall clock alone.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from quire_resilience.clock import SystemClock


def main() -> None:
    """Move the one clock that services read, and run the service."""
    package, file = sys.argv[1:3]
    del sys.path[0]  # the harness's own folder: a service must not see its modules
    with Path(file).open("r+b") as opened:
        shared = mmap.mmap(opened.fileno(), 8)

    def now(_: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=struct.unpack("d", shared[:8])[0])

    SystemClock.now = now  # type: ignore[method-assign]
    sys.argv = [package]
    runpy.run_module(package, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
