"""Answers that all processes share, in a bucket that forgets in time; only for work that costs more than asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from quire_contracts.value import BlobRef, CountsTable, Execution, Matrix, Value
from quire_plane import content
from quire_plane.result_memory import Kept
from quire_quantum.counts import CountsError, PackedCounts
from quire_quantum.executor import MemberOutcome
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_quantum.executor import Member, Work

BUCKET: Final = "results"
_COUNTS_TYPE: Final = "application/vnd.quire.counts"
_MATRIX_TYPE: Final = "application/vnd.quire.float64"


class KeptResult(Value, frozen=True):
    """A member's answer in the bucket: either counts, or values with the standard errors they may have."""

    execution: Execution
    counts: CountsTable | None = None
    values: Matrix | None = None
    std_errors: Matrix | None = None


class Revised(Protocol):
    """A stored value; see `quire_bus.records.Stored`."""

    @property
    def value(self) -> KeptResult:
        """The value."""
        ...


class Bucket(Protocol):
    """What is needed of `quire_bus.buckets.Bucket`."""

    async def get(self, key: str) -> Revised | None:
        """The newest value."""
        ...

    async def put(self, key: str, value: KeptResult) -> int:
        """Write a value."""
        ...


class Blobs(Protocol):
    """What is needed of the content store."""

    async def get(self, ref: BlobRef) -> bytes:
        """See `quire_bus.blobs.Blobs.get`."""
        ...

    async def put(self, data: bytes, media_type: str) -> BlobRef:
        """See `quire_bus.blobs.Blobs.put`."""
        ...


class FleetResults:
    """The fleet's memory of answers. A memory that cannot be reached is an empty one: nothing here raises.

    threshold_seconds: work that takes less, as estimated before and as measured after it ran, is neither looked up nor
        kept: a lookup costs a few milliseconds of the broker's time.
    """

    def __init__(self, bucket: Bucket, blobs: Blobs, *, threshold_seconds: float = 0.25) -> None:
        """Nothing is asked before it is worth it."""
        self._bucket = bucket
        self._blobs = blobs
        self._threshold = threshold_seconds

    def worth_asking(self, work: Work, member: Member) -> bool:
        """Whether a member's work is estimated to cost more than the lookup."""
        return content.estimated_seconds(work, len(member.parameters)) >= self._threshold

    def worth_keeping(self, seconds: float) -> bool:
        """Whether work that took so long is worth a place."""
        return seconds >= self._threshold

    async def get(self, key: str) -> Kept | None:
        """The answer of this content, if the fleet has it whole."""
        try:
            stored = await self._bucket.get(key)
            if stored is None:
                return None
            found = stored.value
            if await self._bucket.get(_revoked_key(found.execution.circuit_sha256, found.execution.backend)):
                return None
            outcome = MemberOutcome(
                counts=await self._counts(found.counts),
                values=await self._matrix(found.values),
                std_errors=await self._matrix(found.std_errors),
            )
        except (QuireError, CountsError, ValueError):
            return None
        return Kept(outcome, found.execution)

    async def put(self, key: str, kept: Kept) -> None:
        """Keep an answer for the fleet."""
        outcome, counts = kept.outcome, kept.outcome.counts
        table = None
        try:
            if counts is not None:
                data = await self._blobs.put(counts.to_bytes(), _COUNTS_TYPE)
                table = CountsTable(rows=counts.rows, groups=1, bits=counts.bits, data=data)
            values, errors = await self._store(outcome.values), await self._store(outcome.std_errors)
            kept_result = KeptResult(execution=kept.execution, counts=table, values=values, std_errors=errors)
            await self._bucket.put(key, kept_result)
        except QuireError:
            return

    async def revoke(self, backend: str, circuit_sha256: str, witness: Execution) -> None:
        """Serve no answer any more that `backend` gave for the circuit, in whatever process; told twice is told once.

        witness: the execution that showed it, for whoever looks.

        Raises:
            QuireError: the fleet could not be told.
        """
        await self._bucket.put(_revoked_key(circuit_sha256, backend), KeptResult(execution=witness))

    async def _counts(self, table: CountsTable | None) -> PackedCounts | None:
        if table is None:
            return None
        return PackedCounts.from_bytes(await self._blobs.get(table.data), rows=table.rows, bits=table.bits)

    async def _matrix(self, matrix: Matrix | None) -> NDArray[np.float64] | None:
        if matrix is None:
            return None
        data = await self._blobs.get(matrix.data)
        return np.frombuffer(data, "<f8").astype(np.float64).reshape(matrix.rows, matrix.columns)

    async def _store(self, values: NDArray[np.float64] | None) -> Matrix | None:
        if values is None:
            return None
        data = await self._blobs.put(values.astype("<f8").tobytes(), _MATRIX_TYPE)
        return Matrix(rows=values.shape[0], columns=values.shape[1], data=data)


def _revoked_key(circuit_sha256: str, backend: str) -> str:
    """Of a mark beside the answers, which is forgotten no sooner than they are."""
    return f"revoked.{backend}.{circuit_sha256}"
