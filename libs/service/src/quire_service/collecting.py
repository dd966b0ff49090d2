"""The cyclic garbage collector, kept from stopping a process for what will stay anyway.

By default Python looks through every young object after 700 new ones, and through all objects each time they have grown
by a quarter. A service holds some hundred thousand (modules, compiled statements, caches): one look takes 0.2 s, in
which nothing else runs, and under load it was a quarter of the processor's time (measured). What this code makes has
next to no cycles, so it is freed without the collector.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from quire_resilience.clock import Clock

_THRESHOLDS: Final = (10_000, 10, 10)
LONG_SECONDS: Final = 0.02
"""A full collection that takes longer has mostly looked at what stays."""

_FULL: Final = 2


def collect_rarely(clock: Clock) -> None:
    """Collect seldom in this process from now on; to be called once, at the beginning of a `main`.

    What survives a long full collection is not looked at again.
    """
    gc.set_threshold(*_THRESHOLDS)
    gc.callbacks.append(Freezing(clock))


def keep() -> None:
    """Never look again at what there is now: the process has started, and this is its furniture."""
    gc.freeze()


class Freezing:
    """A callback for `gc.callbacks`: it freezes what survived a full collection of more than `LONG_SECONDS`.

    Frozen objects are still freed when nothing refers to them; only cycles among them are not.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()

    def __call__(self, phase: str, about: dict[str, Any]) -> None:
        """As `gc` calls it before and after a collection."""
        if about["generation"] != _FULL:
            return
        now = self._clock.monotonic()
        if phase == "start":
            self._began = now
        elif now - self._began > LONG_SECONDS:
            gc.freeze()
