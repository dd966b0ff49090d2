"""Compiled circuits, kept by everything that they depend on and by nothing else."""

from __future__ import annotations

import math
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from opentelemetry.metrics import NoOpMeter, Observation

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Meter

    from quire_resilience.clock import Clock

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class CompileKey:
    """What a compiled circuit depends on.

    structure: the structure's sha256, measurement bases included.
    family: what backends have in common that a circuit compiled for one runs on the other: qubits, coupling, gates.
    settings: the compiler's settings, written out.
    calibration: the calibration it was compiled for; a new one makes the old entry unreachable, `forget` frees it.
    """

    structure: str
    family: str
    settings: str
    calibration: str


@dataclass(slots=True)
class _Entry(Generic[C]):
    made: Future[C]
    at: float
    weight: int = 0


class CompileCache(Generic[C]):
    """A bounded memory of compilations, least recently used out first. Thread-safe; nothing is compiled twice at once.

    capacity: how many compilations are kept.
    weigh, max_weight: what one weighs (its gates, say), and what all may weigh together.
    max_age: seconds after which one is made anew, by `clock`; without a clock they do not age.
    meter, name: counts `quire.compilations` by `cache` (the name) and `found` (hit, miss).
    """

    def __init__(
        self,
        capacity: int,
        *,
        weigh: Callable[[C], int] | None = None,
        max_weight: int = 10_000_000,
        clock: Clock | None = None,
        max_age: float = math.inf,
        meter: Meter | None = None,
        name: str = "",
    ) -> None:
        """Empty."""
        meter = meter or NoOpMeter("quire.plane")
        self._capacity, self._max_weight, self._max_age = capacity, max_weight, max_age
        self._weigh = weigh
        self._clock = clock
        self._lock = Lock()
        self._entries: OrderedDict[CompileKey, _Entry[C]] = OrderedDict()
        self._weight = 0
        self._name = name
        self._counted = meter.create_counter(
            "quire.compilations", unit="{compilation}", description="Compilations asked for, by where they came from."
        )
        meter.create_observable_gauge(
            "quire.compilations.kept",
            callbacks=[lambda _: [Observation(len(self._entries), {"cache": name})]],
            unit="{compilation}",
            description="Compilations kept.",
        )

    def get(self, key: CompileKey, make: Callable[[], C]) -> tuple[C, bool]:
        """The compilation of `key`, and whether it was there already (or being made by another thread).

        Raises:
            Whatever `make` raises, to everybody who waits for it; it is tried again the next time.
        """
        now = self._clock.monotonic() if self._clock is not None else 0.0
        mine: _Entry[C] = _Entry(Future(), now)
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and now - entry.at > self._max_age:
                self._drop(key)
                entry = None
            if entry is None:
                entry = self._entries[key] = mine
            self._entries.move_to_end(key)
            self._trim()
        self._counted.add(1, {"cache": self._name, "found": "miss" if entry is mine else "hit"})
        if entry is not mine:
            return entry.made.result(), True
        try:
            made = make()
        except BaseException as error:
            with self._lock:
                if self._entries.get(key) is mine:
                    self._drop(key)
            mine.made.set_exception(error)
            raise
        mine.made.set_result(made)
        with self._lock:
            if self._entries.get(key) is mine and self._weigh is not None:
                mine.weight = self._weigh(made)
                self._weight += mine.weight
                self._trim()
        return made, False

    def forget(self, stale: Callable[[CompileKey], bool]) -> int:
        """Drop what is stale, after a calibration say; how many there were."""
        with self._lock:
            found = [key for key in self._entries if stale(key)]
            for key in found:
                self._drop(key)
        return len(found)

    def _trim(self) -> None:
        while len(self._entries) > self._capacity or (self._weight > self._max_weight and len(self._entries) > 1):
            self._drop(next(iter(self._entries)))

    def _drop(self, key: CompileKey) -> None:
        self._weight -= self._entries.pop(key).weight

    def __len__(self) -> int:
        """Compilations kept."""
        return len(self._entries)
