"""How many cores there are to work with."""

from __future__ import annotations

import os


def cores() -> int:
    """The processor's cores that this process may use; of those that there are, a container may have been given few."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
