"""What becomes of a task that has no answer at its target, or waits for one: the next step of its chain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from quire_contracts.value import Fault
from quire_control_plane.budget.spending import TooDear, price_of, refused
from quire_control_plane.change import NOTHING, Change, Moment
from quire_control_plane.dispatch.steps import Stuck, following, hold, send, stated
from quire_control_plane.endings import ending
from quire_control_plane.fallback.expiring import wear_out
from quire_control_plane.loops.finishing import finish
from quire_control_plane.tasks import pending_of, settled

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_contracts.task import ReviewTask, TaskFailed


def failed(record: JobRecord, message: TaskFailed, moment: Moment) -> Change:
    """A task has no answer at its target. What an earlier attempt says of itself counts no more."""
    pending = pending_of(record, message.task_id)
    if pending is None or pending.held is not None or pending.task.attempt != message.attempt:
        return NOTHING
    return _step(Stuck(record, pending, moment, message))


def review(record: JobRecord, message: ReviewTask, moment: Moment) -> Change:
    """Look again at a task that waits; nothing changes while it still has to and it is not `due`.

    One that was sent is waited for no longer once that has cost what its answer is worth.
    """
    pending = pending_of(record, message.task_id)
    if pending is None or pending.task.attempt != message.attempt:
        return NOTHING
    if pending.held is None:
        return wear_out(record, pending, moment) if message.due is not None else NOTHING
    if message.due is not None and message.due != pending.held.until:
        return NOTHING  # the timer of a wait that is over
    return _step(Stuck(record, pending, moment), due=message.due is not None)


def _step(stuck: Stuck, *, due: bool = True, dear: str = "") -> Change:
    """dear: what a target would have cost that the job's money does not reach."""
    chain, found = following(stuck)
    if found.action == "ask":
        return Change(asks=True)
    if found.target is not None:
        price = price_of(stuck.record, found.target, stuck.pending.task.parameters.rows, stuck.moment)
        if price.ask is not None:
            return Change(appraise=(price.ask,))
        if not price.fits:  # as if the target had refused it
            pending = refused(stuck.pending, found.target, price, stuck.moment)
            return _step(replace(stuck, pending=pending), due=due, dear=price.reason if price.known else dear)
        return send(stuck, chain, found)
    if found.action == "wait":
        return hold(stuck, chain, found) if due else NOTHING
    record = settled(stated(stuck, chain, found), stuck.pending.task.task_id)
    why = f"{found.reason}; {dear}" if dear else found.reason
    if found.action == "cached":
        return _with_earlier(record, stuck.moment, why)
    failed = stuck.failed.fault if stuck.failed is not None else _no_target(why)
    fault = TooDear(record, why).fault if dear else failed
    if found.action == "classical":
        return finish(record, stuck.moment, None, reason=f"no target is left: {why}", fault=fault)
    return ending.fail(record, stuck.moment, fault)


def _with_earlier(record: JobRecord, moment: Moment, why: str) -> Change:
    """End with the answer of an equal job."""
    earlier = moment.earlier
    if earlier is None:
        raise ValueError("there is no earlier answer to end with")
    reason = (
        f"no target is left: {why}; the answer is that of job {earlier.job_id}, "
        f"of {earlier.answered_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    return ending.complete(record, moment, result=earlier.result, result_ref=earlier.result_ref, reason=reason)


def _no_target(reason: str) -> Fault:
    return Fault(
        kind="offline",
        code="no-target",
        reason=f"no target took the work for as long as it may wait: {reason}"[:2_000],
        next_step="submit it again later, allow other targets, or give it a longer wait in the fallback rules",
        retryable=True,
    )
