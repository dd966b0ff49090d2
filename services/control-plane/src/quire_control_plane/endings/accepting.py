"""The end of an optimisation that has an answer, with its verdict: the answer stands, gives way or is marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quire_control_plane.endings.ending import complete, complete_with_baseline
from quire_control_plane.verdict import judge

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_contracts.result import OptimizeResult
    from quire_control_plane.change import Change, Moment


def answered(record: JobRecord, moment: Moment, result: OptimizeResult, *, reason: str = "") -> Change:
    """End with a quantum answer, held against the classical one and against the rules of its job and its operator.

    One that they reject gives way to the classical answer: the job is degraded, and the verdict says what was rejected.
    One that a person is to look at stands meanwhile, marked with the reason. `reason` is that of `ending.complete`.
    """
    judged = judge(record, result, moment)
    if judged.outcome == "reject":
        return complete_with_baseline(
            record, moment, f"the quantum answer was rejected: {'; '.join(judged.why)}", judged
        )
    marked = msgspec.structs.replace(result, verdict=judged.verdict)
    review = "; ".join(judged.why) if judged.outcome == "person" else ""
    return complete(record, moment, result=marked, reason=reason, needs_review=review)
