"""What houses in virtual time have in common: when tasks come, and what was done with them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from quire_batching.load import Load

LIMITS = Load(200, 4_096, 10**7, 96 * 1024, math.inf, 1 << 40)


@dataclass
class Run:
    """When each task came and was answered, the rows of each batch, and the windows that were chosen."""

    came: list[float]
    answered: dict[int, float]
    batches: list[tuple[float, int]]
    windows: list[tuple[float, float]]

    def p99(self, start: float, end: float) -> float:
        times = sorted(self.answered[place] - came for place, came in enumerate(self.came) if start <= came < end)
        return times[int(0.99 * len(times))]

    def window(self, start: float, end: float) -> float:
        windows = sorted(window for at, window in self.windows if start <= at < end)
        return windows[len(windows) // 2]


def arrivals(phases, seed: int) -> list[float]:
    uniform, came, start = random.Random(seed), [], 0.0
    for rate, seconds in phases:
        at = start + uniform.expovariate(rate)
        while at < start + seconds:
            came.append(at)
            at += uniform.expovariate(rate)
        start += seconds
    return came
