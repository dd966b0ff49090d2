"""Whether a job's next task is worth its wait while there is a lesser answer, and where it would be back in time.

The classical answer is worked out before anything is sent, so every loop speculates: it goes on for the quantum answer
as long as that is worth more than it costs, and has the other one to end with at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from quire_contracts.record import Decision, evolve
from quire_contracts.so_far import baseline_of
from quire_control_plane.deadlines import is_near
from quire_control_plane.tasks import facts_of, noted
from quire_policy import Choice, Outlook, choose, comes_too_late
from quire_policy.patience import figures_of, lateness

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_contracts.task import Task
    from quire_contracts.value import Phase, Target
    from quire_control_plane.change import Moment
    from quire_policy import Facts, Route


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
    if baseline_of(record) is None and record.best is None:
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
    first = _of(route.targets[0], facts, moment)
    if facts.seeded or not comes_too_late(first):
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
