"""The steps of a fallback chain that send a task somewhere or hold it back, as changes of its job's record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.record import (
    Action,
    Away,
    Decision,
    Hold,
    JobRecord,
    Pending,
    awaits_baseline,
    baseline_of,
    evolve,
)
from quire_contracts.task import ReviewTask, RunTask, TaskFailed
from quire_control_plane.change import Change, Moment, Say, reach, seconds_later
from quire_control_plane.tasks import facts_of, noted
from quire_policy import Fallback, Next, Trouble, next_step
from quire_policy.fallback import SIMULATOR

if TYPE_CHECKING:
    from quire_contracts.value import Target

TRIED_KEPT: Final = 50
LOOK_SECONDS: Final = 1_800.0
"""A task that is held is looked at this often whatever it waits for, so that nothing waits for want of a word."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """A task that does not run, at a moment: because of `failed`, or because it is held back in its job's record."""

    record: JobRecord
    pending: Pending
    moment: Moment
    failed: TaskFailed | None = None

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where it may run: its target, then the others in their order."""
        return tuple(dict.fromkeys((self.pending.task.target, *self.pending.task.fallbacks)))

    @property
    def attempt(self) -> int:
        """The number under which it is sent next; that of a task that is held was not used yet."""
        task = self.pending.task
        return task.attempt if self.pending.held is not None else task.attempt + 1

    @property
    def has_lesser(self) -> bool:
        """Whether its job has an answer without another run, or will have: the best sample, the classical one."""
        record = self.record
        classical = baseline_of(record) is not None or awaits_baseline(record)
        return record.kind in ("optimize", "minimize") and (classical or record.best is not None)


def begin(record: JobRecord, pending: Pending, moment: Moment) -> Change:
    """A new task whose first target takes no work: elsewhere at once, or held until there is something to be done."""
    nobody_has_it = Hold(moment.now, moment.now, (pending.task.target,))
    unsent = msgspec.structs.replace(pending, tried=(), held=nobody_has_it)
    stuck = Stuck(evolve(record, pending=(*record.pending, unsent)), unsent, moment)
    chain, found = following(stuck)
    return send(stuck, chain, found) if found.target is not None else hold(stuck, chain, found)


def following(stuck: Stuck) -> tuple[Fallback, Next]:
    """The chain of the task's work and the step of it that follows."""
    record, pending, moment, failed = stuck.record, stuck.pending, stuck.moment, stuck.failed
    task, waiting = pending.task, pending.waiting_since
    facts = facts_of(record, task.phase, task.parameters.rows, moment.now)
    chain, fault = moment.chain(facts), failed.fault if failed is not None else None
    away = [each for each in pending.away if each.until > moment.now]
    down = {target: moment.down(target, record.tenant) for target in (*stuck.targets, SIMULATOR)}
    trouble = Trouble(
        target=task.target,
        targets=stuck.targets,
        fault=(fault.kind, fault.code, fault.reason, fault.retryable) if fault is not None else None,
        after_seconds=failed.after_seconds if failed is not None else 0.0,
        down={each.target: each.reason for each in away} | {each: why for each, why in down.items() if why is not None},
        asks={each.target: (each.until - moment.now).total_seconds() for each in away},
        ruled_out=pending.ruled_out,
        failures=pending.failures,
        together=1 if failed is None or task.alone else failed.together,
        waited=max(0.0, (moment.now - waiting).total_seconds()) if waiting is not None else 0.0,
        returns=task.attempt - 1,
        seconds_left=facts.seconds_left,
        lesser=stuck.has_lesser,
        earlier=False if task.fresh else _is_fresh(chain, moment) if moment.looked else None,
    )
    return chain, next_step(chain, trouble)


def send(stuck: Stuck, chain: Fallback, found: Next) -> Change:
    """Send the task where the step says, as its next attempt."""
    pending, moment = stuck.pending, stuck.moment
    target = found.target or pending.task.target
    task = msgspec.structs.replace(
        pending.task,
        target=target,
        fallbacks=tuple(each for each in stuck.targets if each != target),
        attempt=stuck.attempt,
        alone=pending.task.alone or found.action == "alone",
    )
    tried = (*pending.tried, target)[-TRIED_KEPT:]
    sent = msgspec.structs.replace(_after(stuck, found), task=task, since=moment.now, tried=tried, held=None)
    record = reach(stuck.record, "submitted", moment, pending=_put(stuck.record, sent))
    record = stated(replace(stuck, record=record, pending=sent), chain, found)
    if target != pending.task.target:
        note = f"{task.phase}: {found.reason}"
        record = evolve(record, degraded=True, reason=_appended(record.reason, note))
    return Change(record, (Say(RunTask(task=task), at=seconds_later(moment, found.seconds)),))


def hold(stuck: Stuck, chain: Fallback, found: Next) -> Change:
    """Keep the task here until somebody looks at it again: at a set time, or as soon as one of its targets is back."""
    pending, moment = stuck.pending, stuck.moment
    seconds = min(LOOK_SECONDS, found.seconds)
    until = moment.now + timedelta(seconds=seconds)
    held = msgspec.structs.replace(
        _after(stuck, found),
        task=msgspec.structs.replace(pending.task, attempt=stuck.attempt),
        held=Hold(moment.now, until, found.waits_for, found.reason[:2_000]),
        waiting_since=pending.waiting_since or moment.now,
    )
    record = evolve(stuck.record, updated_at=moment.now, pending=_put(stuck.record, held))
    review = ReviewTask(record.job_id, record.tenant, held.task.task_id, held.task.attempt, due=until)
    record = stated(replace(stuck, record=record, pending=held), chain, found)
    return Change(record, (Say(review, at=seconds_later(moment, seconds)),))


def stated(stuck: Stuck, chain: Fallback, found: Next) -> JobRecord:
    """The record with the step written down: what was done with the task as it is now, why, and after which fault."""
    task, failed = stuck.pending.task, stuck.failed
    action: Action = "wait" if found.action == "ask" else found.action
    decision = Decision(
        at=stuck.moment.now,
        task_id=task.task_id,
        target=task.target,
        fallbacks=task.fallbacks,
        rules=(chain.name,),
        reasons=(found.reason,),
        delay_seconds=found.seconds,
        action=action,
        attempt=task.attempt,
        origin=failed.target if failed is not None else None,
        fault_code=failed.fault.code if failed is not None else "",
    )
    return evolve(stuck.record, decisions=noted(stuck.record.decisions, decision))


def _after(stuck: Stuck, found: Next) -> Pending:
    """What is known of the task now."""
    pending, failed = stuck.pending, stuck.failed
    faults = pending.faults if failed is None else (*pending.faults, failed.fault)[-10:]
    reasons = {each.target: each.reason for each in pending.away}
    if failed is not None:
        reasons[failed.target] = failed.fault.reason
    away = tuple(
        Away(target, stuck.moment.now + timedelta(seconds=seconds), reasons.get(target, ""))
        for target, seconds in found.asks.items()
    )
    return msgspec.structs.replace(
        pending, faults=faults, ruled_out=found.ruled_out, failures=found.failures, away=away
    )


def _put(record: JobRecord, changed: Pending) -> tuple[Pending, ...]:
    return tuple(changed if item.task.task_id == changed.task.task_id else item for item in record.pending)


def _is_fresh(chain: Fallback, moment: Moment) -> bool:
    if moment.earlier is None:
        return False
    return (moment.now - moment.earlier.answered_at).total_seconds() <= chain.cached_within_seconds


def _appended(reason: str, note: str) -> str:
    return note[:2_000] if not reason else reason if note in reason else f"{reason}; {note}"[:2_000]
