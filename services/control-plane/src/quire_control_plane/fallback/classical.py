"""The classical answer comes while its job runs, or is said not to come: what follows, wherever the job is by then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_contracts.job import ExpireJob
from quire_contracts.preparation import BaselineFailed, BaselineFound
from quire_contracts.record import awaits_baseline, evolve
from quire_control_plane.change import NOTHING, Change, Moment
from quire_control_plane.endings import ending
from quire_control_plane.fallback.expiring import expire, not_worth_it
from quire_control_plane.families import family
from quire_control_plane.loops import loop
from quire_control_plane.loops.finishing import finish_now
from quire_control_plane.patience.deadlines import is_near
from quire_control_plane.patience.speculating import has_lesser, watched
from quire_control_plane.timings import summed

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord


def heard(record: JobRecord, message: BaselineFound | BaselineFailed, moment: Moment) -> Change:
    """What follows from what is said of the classical answer; once, for it is there or not."""
    if not _is_news(record):
        return NOTHING
    return _found(record, message, moment) if isinstance(message, BaselineFound) else _failed(record, message, moment)


def _found(record: JobRecord, message: BaselineFound, moment: Moment) -> Change:
    """Take the classical answer in; of a job that is not prepared yet it is kept until then.

    A job that had come to where it needs it goes on. Any other one has a lesser answer from now on: it ends with it if
    its deadline is near, or if its quantum answer is not worth the wait.
    """
    record = evolve(
        record,
        updated_at=moment.now,
        baseline=message.baseline,
        baseline_seconds=message.baseline_seconds,
        method_seconds=message.method_seconds,
        timings=summed(record.timings, message.timings),
    )
    if record.awaiting is not None:
        return _go_on(record, moment)
    if not has_lesser(record):
        return Change(record)
    if is_near(record, moment.now):
        return expire(record, ExpireJob(record.job_id, record.tenant), moment)
    return not_worth_it(record, moment) or watched(Change(record), moment)


def _failed(record: JobRecord, message: BaselineFailed, moment: Moment) -> Change:
    """Go on without a classical answer; a job of which it is proven that nothing is feasible is rejected.

    `rejected` is what such a job has always been, and what it is whether this comes before it is prepared or after its
    work was sent: that work is stopped. The states allow it from each one that is no end.
    """
    if message.problems:
        return ending.reject(record, moment, message)
    record = evolve(record, updated_at=moment.now, baseline_fault=message.fault)
    return Change(record) if record.awaiting is None else _go_on(record, moment)


def _is_news(record: JobRecord) -> bool:
    """Whether nothing is known of the baseline yet; one of which nobody spoke may be that of a job not yet prepared."""
    unprepared = record.preparation is None and record.family is None
    known = record.baseline is not None or record.baseline_fault is not None
    return awaits_baseline(record) or (unprepared and not known)


def _go_on(record: JobRecord, moment: Moment) -> Change:
    """Do what was put off until now."""
    put_off, record = record.awaiting, evolve(record, awaiting=None)
    if put_off is None:
        raise ValueError(f"job {record.job_id} has put nothing off")
    if put_off.then == "sample":
        return loop.sample_last(record, moment)
    if record.family is None:
        return finish_now(record, moment, None, reason=put_off.reason, fault=put_off.fault)
    if put_off.then == "gather":
        return family.gather(record, record.family, moment)
    return family.give_up(record, moment, put_off.reason, put_off.fault)
