"""Waiting for the classical answer: what a job does that has come to where it needs it, before it is there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from quire_contracts.job import AbandonJob
from quire_contracts.record import Awaiting, evolve
from quire_contracts.value import Fault
from quire_control_plane.change import Change, Say

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_control_plane.change import Moment

BASELINE_LOST: Final = "baseline-lost"
LONGEST_SECONDS: Final = 3_600.0
"""However its baseline gets lost, a job that waits for it ends after so long. Nothing is known that would lose it: a
baseline that cannot be found is said to have failed."""

_NEVER_CAME: Final = Fault(
    kind="unknown",
    code=BASELINE_LOST,
    reason=f"the classical answer did not come within {LONGEST_SECONDS:.0f} s",
    next_step="submit it again; tell the operator of preprocessing",
    retryable=True,
)


def await_baseline(
    record: JobRecord,
    moment: Moment,
    then: Literal["sample", "gather", "end"],
    *,
    reason: str = "",
    fault: Fault | None = None,
) -> Change:
    """Stop here until the baseline is there, or is known not to come; `classical.heard` goes on.

    What is out is waited for no more. The arguments are those of `record.Awaiting`.
    """
    awaiting = Awaiting(then, moment.now, reason[:2_000], fault)
    waiting = evolve(record, updated_at=moment.now, pending=(), awaiting=awaiting)
    lost = AbandonJob(job_id=record.job_id, tenant=record.tenant, fault=_NEVER_CAME)
    return Change(waiting, (Say(lost, at=moment.now + timedelta(seconds=LONGEST_SECONDS)),))
