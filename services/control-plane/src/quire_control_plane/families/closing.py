"""The deadline of a job that is done by its children: who is late is given up, and what there is becomes the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from quire_contracts.record import baseline_of, evolve
from quire_control_plane.change import NOTHING, Change
from quire_control_plane.endings import ending
from quire_control_plane.families.children import given_up
from quire_control_plane.families.family import gather, has_answers
from quire_control_plane.patience.deadlines import word

if TYPE_CHECKING:
    from quire_contracts.family import Family
    from quire_contracts.job import ExpireJob
    from quire_contracts.record import JobRecord
    from quire_contracts.value import Fault
    from quire_control_plane.change import Moment


def expire(record: JobRecord, family: Family, message: ExpireJob, moment: Moment, fault: Fault) -> Change:
    """End a family at its deadline, or a little before it where there is a lesser answer.

    Where the answer may be partial and any child has one, or all have and only the classical one is missing, the
    children that have not ended are given up when the first word comes, and the answers are gathered; the second word,
    at the deadline itself, finds the job ended. Else it ends with the classical answer where there is one. What has
    neither fails at its deadline.
    """
    if family.closed and message.reserve_seconds > 0:
        return NOTHING
    early = message.reserve_seconds > 0 and record.deadline_at is not None
    if early and has_answers(family) and (family.allow_partial or _waits_for_no_child(record)):
        return _closed(record, family, moment, fault.reason)
    if baseline_of(record) is not None:
        return ending.complete_with_baseline(record, moment, fault.reason)
    return Change(says=(word(record, 0.0),)) if early else ending.fail(record, moment, fault)


def _waits_for_no_child(record: JobRecord) -> bool:
    """Whether all children have ended, and the job waits for its classical answer before it gathers theirs."""
    return record.awaiting is not None and record.awaiting.then == "gather"


def _closed(record: JobRecord, family: Family, moment: Moment, why: str) -> Change:
    """Wait for no more children. What is being gathered already comes back, as an answer or as a plan too late."""
    reason = f"job {record.job_id}, of which it is a part, waits for it no longer: {why}"
    closed, words = given_up(msgspec.structs.replace(family, closed=why), record, reason, moment)
    last = word(record, 0.0)
    if family.gathering:
        return Change(evolve(record, family=closed), (*words, last))
    change = gather(record, closed, moment)
    return replace(change, says=(*words, *change.says, last))
