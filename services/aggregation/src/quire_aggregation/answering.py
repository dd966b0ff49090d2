"""A judged answer as the event that states it: small content inline, large content by reference, nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from quire_aggregation.evidence import Array, Evidence
from quire_aggregation.fanin import Part
from quire_aggregation.judging import Judged
from quire_aggregation.provenance import timings_of
from quire_aggregation.results import RESULT_BYTES
from quire_bus.blobs import Blobs
from quire_contracts.batch import Slice
from quire_contracts.limits import INLINE_BYTES
from quire_contracts.result import EstimateResult, JobResult, KernelResult, SampleResult, encode_result
from quire_contracts.task import TaskQuality, TaskScored
from quire_contracts.value import BlobRef, CountsTable, Matrix

COUNTS_MEDIA_TYPE = "application/vnd.quire.counts"
MATRIX_MEDIA_TYPE = "application/vnd.quire.float64"
JSON_MEDIA_TYPE = "application/json"

_NUMBER_BYTES = 25
"""A float in JSON with its comma, at most."""


class Answering:
    """Makes `TaskScored` events; what does not fit into a message is stored first."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def scored(
        self,
        member: Slice,
        parts: Sequence[Part],
        evidence: Evidence,
        judged: Judged,
        *,
        began: datetime,
        seconds: float,
    ) -> TaskScored:
        """The event of an answer that passed its checks.

        began, seconds: when the judgement of the batch began and how long it took.
        """
        values, errors = judged.estimates or (None, None)
        score = judged.score
        only = evidence.pieces[0] if len(evidence.pieces) == 1 else None
        result, result_ref = await self._result(evidence, judged) if member.phase == "main" else (None, None)
        return TaskScored(
            job_id=member.job_id,
            tenant=member.tenant,
            task_id=member.task_id,
            phase=member.phase,
            round=member.round,
            attempt=member.attempt,
            values=await self._matrix(values, only.values if only else None),
            std_errors=await self._matrix(errors, only.std_errors if only else None),
            best=score.best if score else None,
            quality=TaskQuality(judged.verdict.passed, score.figures if score else None, judged.shots),
            executions=tuple(part.execution for part in parts),
            timings=timings_of(parts, member.task_id, began, seconds),
            result=result,
            result_ref=result_ref,
        )

    async def _result(self, evidence: Evidence, judged: Judged) -> tuple[JobResult | None, BlobRef | None]:
        """The answer as its user reads it, or where it is."""
        result = judged.result
        if result is None:
            return SampleResult(table=await self._table(evidence)), None
        if isinstance(result, EstimateResult | KernelResult) and _bytes_at_most(result) > RESULT_BYTES:
            content = encode_result(result)
            if len(content) > RESULT_BYTES:
                return None, await self._blobs.put(content, JSON_MEDIA_TYPE)
        return result, None

    async def _table(self, evidence: Evidence) -> CountsTable:
        """The packed counts: where the plane has put them, unless slices had to be laid together."""
        counts = evidence.counts
        if len(evidence.pieces) == 1 and evidence.pieces[0].counts is not None:
            data = evidence.pieces[0].counts.data
        else:
            data = await self._blobs.put(counts.to_bytes(), COUNTS_MEDIA_TYPE)
        return CountsTable(rows=counts.rows, groups=1, bits=counts.bits, data=data)

    async def _matrix(self, numbers: Array | None, known: Matrix | None) -> Matrix | None:
        """The numbers as they came, unless slices were laid together, or few enough of them are not inline yet."""
        if numbers is None:
            return None
        if known is not None and (known.data.inline is not None or known.data.size > INLINE_BYTES):
            return known
        data = await self._blobs.put(numbers.astype("<f8").tobytes(), MATRIX_MEDIA_TYPE)
        return Matrix(numbers.shape[0], numbers.shape[1], data)


def _bytes_at_most(result: EstimateResult | KernelResult) -> int:
    rows = result.matrix if isinstance(result, KernelResult) else result.values
    return 2 * len(rows) * (len(rows[0]) * _NUMBER_BYTES + 3) if rows else 0
