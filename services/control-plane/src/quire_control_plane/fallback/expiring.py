"""What ends a job whose work is still out: its deadline, or that the wait has cost what the answer is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quire_contracts.record import awaits_baseline
from quire_contracts.value import Fault
from quire_control_plane.change import NOTHING, Change, Moment
from quire_control_plane.endings import ending
from quire_control_plane.families import closing
from quire_control_plane.loops.finishing import finish_now
from quire_control_plane.patience.deadlines import word
from quire_control_plane.patience.speculating import Prospect, declined, has_lesser, is_worn_out, outlook
from quire_control_plane.tasks import facts_of
from quire_policy import Choice, choose
from quire_policy.patience import figures_of

if TYPE_CHECKING:
    from quire_contracts.job import ExpireJob
    from quire_contracts.record import JobRecord, Pending

DEADLINE_EXCEEDED: Final = Fault(
    kind="capacity",
    code="deadline-exceeded",
    reason="the job's deadline came before its answer",
    next_step="submit it again with a later deadline, fewer rounds or fewer shots",
    retryable=True,
)


def expire(record: JobRecord, message: ExpireJob, moment: Moment) -> Change:
    """End with the best there is; a job that has nothing to end with is told again at its deadline, and fails then."""
    if has_lesser(record):
        return _with_the_best(record, moment, DEADLINE_EXCEEDED.reason)
    if record.family is not None:
        return closing.expire(record, record.family, message, moment, DEADLINE_EXCEEDED)
    if message.reserve_seconds > 0 and record.deadline_at is not None:
        return Change(says=(word(record, 0.0),))
    return ending.fail(record, moment, DEADLINE_EXCEEDED)


def wear_out(record: JobRecord, out: Pending, moment: Moment) -> Change:
    """End with the best there is, if the wait for a task that was sent has cost what its answer is worth.

    While the classical answer is still being found nobody knows what the best is.
    """
    if out.held is not None or awaits_baseline(record) or not is_worn_out(record, out, moment):
        return NOTHING
    return _with_the_best(record, moment, "waiting has cost as much as a better answer is worth")


def not_worth_it(record: JobRecord, moment: Moment) -> Change | None:
    """End with the best there is, if what is out is not worth its wait by what is known now; else nothing."""
    if not record.pending:
        return None
    task = record.pending[-1].task
    facts = facts_of(record, task.phase, task.parameters.rows, moment.now)
    patience = moment.patience(facts)
    choice = choose(patience, outlook(record, task.target, facts, moment))
    if choice.waits:
        return None
    noted = declined(record, moment, Prospect(choice, task.target, patience.name), task)
    return finish_now(noted, moment, None, reason=choice.reason)


def _with_the_best(record: JobRecord, moment: Moment, why: str) -> Change:
    out = record.pending[-1] if record.pending else None
    if out is None:
        return finish_now(record, moment, None, reason=why)
    task, waited = out.task, (moment.now - out.since).total_seconds()
    facts = facts_of(record, task.phase, task.parameters.rows, moment.now)
    figures = {**figures_of(outlook(record, task.target, facts, moment)), "waited_seconds": round(waited, 3)}
    reason = f"{why}: {_where(out, waited)}"
    found = Prospect(Choice(False, reason, figures), task.target, moment.patience(facts).name)
    return finish_now(declined(record, moment, found, task), moment, None, reason=reason)


def _where(out: Pending, waited: float) -> str:
    if out.held is not None:
        return out.held.reason
    return f"its work has been at {out.task.target} for {waited:.1f} s"
