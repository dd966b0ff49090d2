"""How fast this machine's memory copies: the floor under every simulation that does not fit into a cache."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from measure import timed

ARRAY_BYTES = 512 * 2**20
"""Larger than most last-level caches; where it is not, the cache's bandwidth is the floor."""


def copied_bytes_per_second(tries: int = 5) -> float:
    """Bytes read plus bytes written in a second by all cores that copy at the same time, the best of some tries.

    Source: the copy kernel of McCalpin's STREAM.
    """
    cores = len(os.sched_getaffinity(0))
    source, target = np.ones(ARRAY_BYTES // 8), np.zeros(ARRAY_BYTES // 8)
    parts = list(zip(np.array_split(target, cores), np.array_split(source, cores), strict=True))  # views
    with ThreadPoolExecutor(cores) as threads:
        seconds = [timed(lambda: list(threads.map(lambda pair: np.copyto(*pair), parts))) for _ in range(tries)]
    return 2 * ARRAY_BYTES / min(seconds)
