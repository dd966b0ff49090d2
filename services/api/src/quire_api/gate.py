"""How often one client may write: a token bucket for each address, for a bounded number of addresses."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from quire_resilience.limiter import TokenBucket

_CLIENTS: Final = 10_000


class Gate:
    """Admits writes.

    rate, burst: of one client, by second and at once.   clients: buckets kept; the least recently seen is forgotten.
    """

    def __init__(self, *, rate: float, burst: int, clients: int = _CLIENTS) -> None:
        self._rate = rate
        self._burst = burst
        self._clients = clients
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        """0.0 if a write of `client` may pass at `now` (seconds, monotonic), else how long it has to wait."""
        bucket = self._buckets.pop(client, None) or TokenBucket.full(rate=self._rate, capacity=self._burst, now=now)
        self._buckets[client], seconds = bucket.take(now)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return seconds
