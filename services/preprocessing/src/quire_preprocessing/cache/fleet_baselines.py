"""The fleet's baselines on the broker: a bucket with one for each problem, as small as its JSON."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import msgspec

from quire_contracts.preparation import Baseline, MethodSeconds
from quire_preprocessing.cache.fleet import Bucket
from quire_preprocessing.classical.baseline import Solved
from quire_resilience.errors import Permanent, Transient

BUCKET: Final = "baselines"


class StoredBaseline(msgspec.Struct, frozen=True):
    """A baseline, and the seconds of each method when it was worked out."""

    baseline: Baseline
    seconds: MethodSeconds


class BrokerBaselines:
    """Baselines in the bucket `baselines`, kept for days and then worked out again.

    Two processes that work out the same problem write the same baseline. What cannot be read is as good as not there,
    and a bucket that is full, or away, costs the work in each process and never a job.
    """

    def __init__(self, bucket: Bucket[StoredBaseline]) -> None:
        self._bucket = bucket

    async def get(self, key: str) -> Solved | None:
        """The baseline under a digest, if any process has worked it out."""
        try:
            found = await self._bucket.get(key)
        except (Permanent, Transient):
            return None
        return None if found is None else Solved(found.value.baseline, found.value.seconds)

    async def put(self, key: str, solved: Solved) -> None:
        """Tell every process, if the broker has room for it; idempotent."""
        with suppress(Permanent, Transient):
            await self._bucket.put(key, StoredBaseline(solved.baseline, solved.seconds))
