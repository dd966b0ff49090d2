"""A memory that forgets what was used longest ago, bounded by bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from opentelemetry.metrics import Meter

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

HITS = "quire.cache.hits"
MISSES = "quire.cache.misses"


class Bounded(Generic[K, V]):
    """A mapping of at most `most_bytes` by the sizes that `put` is told; a value of more than a quarter is not kept.

    Each look-up is counted in `quire.cache.hits` or `quire.cache.misses`, under `quire.cache.name`.
    """

    def __init__(self, name: str, most_bytes: int, meter: Meter) -> None:
        self.bytes = 0
        self._most_bytes = most_bytes
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._hit, self._missed = look_ups(name, meter)

    def __len__(self) -> int:
        """How many values are kept."""
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, which is young again, or None."""
        found = self._values.get(key)
        if found is None:
            self._missed()
            return None
        self._values.move_to_end(key)
        self._hit()
        return found[0]

    def peek(self, key: K) -> V | None:
        """The value or None, without counting or renewing it."""
        found = self._values.get(key)
        return None if found is None else found[0]

    def put(self, key: K, value: V, size: int) -> None:
        """Keep a value of about `size` bytes; the oldest ones make room for it."""
        self.bytes -= self._values.pop(key, (None, 0))[1]
        if size > self._most_bytes // 4:
            return
        self._values[key] = (value, size)
        self.bytes += size
        while self.bytes > self._most_bytes:
            self.bytes -= self._values.popitem(last=False)[1][1]


def look_ups(name: str, meter: Meter) -> tuple[Callable[[], None], Callable[[], None]]:
    """What counts a look-up in the cache of that name: one that found what it looked for, one that did not."""
    hit = _counter(meter, HITS, "Look-ups that found what they looked for.", name)
    return hit, _counter(meter, MISSES, "Look-ups that did not find what they looked for.", name)


def _counter(meter: Meter, name: str, description: str, cache: str) -> Callable[[], None]:
    counter = meter.create_counter(name, unit="{lookup}", description=description)
    attributes = {"quire.cache.name": cache}
    return lambda: counter.add(1, attributes)
