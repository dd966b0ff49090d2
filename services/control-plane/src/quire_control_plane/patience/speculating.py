"""Whether a job's next task is worth its wait while there is a lesser answer, and where it would be back in time.

The classical answer is found beside the quantum work, so every loop speculates: once it is there, the loop goes on for
the quantum answer as long as that is worth more than it costs, and has the other one to end with at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.record import Decision, baseline_of, evolve
from quire_contracts.task import ReviewTask
from quire_control_plane.change import Change, Say
from quire_control_plane.patience.deadlines import is_near
from quire_control_plane.tasks import facts_of, noted
from quire_policy import Choice, Outlook, break_even, choose, comes_too_late
from quire_policy.patience import figures_of, lateness

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord, Pending
    from quire_contracts.task import Task
    from quire_contracts.value import Phase, Target
    from quire_control_plane.change import Moment
    from quire_policy import Facts, Route

_NEARLY: Final = 0.95
"""Of a time by the broker's clock, that has passed by it."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a job's next task, or the one that is out, promises: the choice, where it runs, and by which rule."""

    choice: Choice
    target: Target
    rule: str


def prospect(record: JobRecord, phase: Phase, rows: int, moment: Moment) -> Prospect:
    """Whether a job sends its next task and waits for it; one without a lesser answer does."""
    facts = facts_of(record, phase, rows, moment.now)
    patience, target = moment.patience(facts), in_time(facts, moment).targets[0]
    known = outlook(record, target, facts, moment)
    if not has_lesser(record):
        choice = Choice(True, "", figures_of(known))
    elif is_near(record, moment.now):
        choice = Choice(False, "the deadline is too near to wait for another answer", figures_of(known))
    else:
        choice = choose(patience, known)
    return Prospect(choice, target, patience.name)


def in_time(facts: Facts, moment: Moment) -> Route:
    """The route of work: as the rules say, but not first to where it is expected back only after its job's deadline.

    Instead of such a target the first one of the others takes it that is not known to be late; if all are, the work
    stays. So does work that asks to be repeatable.
    """
    route = moment.routing(facts)
    if facts.seconds_left is None or facts.seeded:
        return route
    first = _of(route.targets[0], facts, moment)
    if not comes_too_late(first):
        return route
    soon = next((each for each in route.targets[1:] if not comes_too_late(_of(each, facts, moment))), None)
    if soon is None:
        return route
    return msgspec.structs.replace(
        route,
        targets=(soon, *(each for each in route.targets if each != soon)),
        rules=(*route.rules, moment.patience(facts).name),
        reasons=(*route.reasons, f"{soon} instead of {first.target}: {lateness(first)}"),
    )


def outlook(record: JobRecord, target: Target, facts: Facts, moment: Moment) -> Outlook:
    """What is known of work for the job at a target; it may cost what a gateway said, else what the last runs did."""
    baseline = baseline_of(record)
    proven = baseline is not None and baseline.exact and baseline.feasible
    said = next((each for each in record.appraisals if each.target == target), None)
    ran = sum(run.cost_usd for run in record.executions) / max(1, len(record.executions))
    spent = said.usd if said is not None else ran
    known = _of(target, facts, moment)
    return msgspec.structs.replace(known, expected_gain=moment.gain(record), expected_usd=spent, proven=proven)


def watched(change: Change, moment: Moment) -> Change:
    """The change, with a timer for the task that is out: when its wait will have cost what its answer is worth."""
    record = change.record
    out = record.pending[-1] if record is not None and record.pending else None
    seconds = None if record is None or out is None or out.held is not None else _limit(record, out, moment)
    if record is None or out is None or seconds is None:
        return change
    due = max(moment.now, out.since + timedelta(seconds=seconds))
    timer = ReviewTask(record.job_id, record.tenant, out.task.task_id, out.task.attempt, due=due)
    return replace(change, says=(*change.says, Say(timer, at=due)))


def is_worn_out(record: JobRecord, out: Pending, moment: Moment) -> bool:
    """Whether the wait for a task that was sent has cost what its answer is worth."""
    limit, waited = _limit(record, out, moment), (moment.now - out.since).total_seconds()
    return limit is not None and waited >= _NEARLY * limit


def _limit(record: JobRecord, out: Pending, moment: Moment) -> float | None:
    if not has_lesser(record):
        return None
    facts = facts_of(record, out.task.phase, out.task.parameters.rows, moment.now)
    return break_even(moment.patience(facts), outlook(record, out.task.target, facts, moment))


def has_lesser(record: JobRecord) -> bool:
    """Whether the job could end now with an answer of its loop, or the classical one."""
    return record.preparation is not None and (baseline_of(record) is not None or record.best is not None)


def declined(record: JobRecord, moment: Moment, found: Prospect, task: Task | None = None) -> JobRecord:
    """The record with the choice written down: `task`, or what would have come next, is not waited for."""
    decision = Decision(
        at=moment.now,
        task_id=task.task_id if task is not None else record.job_id,
        target=found.target,
        fallbacks=(),
        rules=(found.rule,),
        reasons=(found.choice.reason[:2_000],),
        action="classical",
        attempt=task.attempt if task is not None else 1,
        figures=found.choice.figures,
    )
    return evolve(record, decisions=noted(record.decisions, decision))


def _of(target: Target, facts: Facts, moment: Moment) -> Outlook:
    return Outlook(target=target, seconds_left=facts.seconds_left, expected_seconds=moment.seconds(target))
