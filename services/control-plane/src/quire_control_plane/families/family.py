"""A job that is done by its children: they are planned, started a few at a time, waited for, and gathered.

Nothing here is lost or done twice. A child exists if and only if its parent's record says that it was started, for both
are written in one commit; its end is told in the commit that ends it, and counts while the parent waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.family import Child, Family, GatherFamily
from quire_contracts.record import awaits_baseline, baseline_of, evolve
from quire_contracts.result import OptimizeResult
from quire_contracts.so_far import is_better
from quire_control_plane.change import NOTHING, Change, Moment, Say, reach
from quire_control_plane.endings import ending
from quire_control_plane.endings.accepting import answered
from quire_control_plane.endings.awaiting import await_baseline
from quire_control_plane.families import naming
from quire_control_plane.families.children import child_id
from quire_control_plane.families.sharing import shared_out
from quire_control_plane.timings import summed
from quire_control_plane.verdict.ran import together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.family import ChildEnded, FamilyGathered, FamilyPlanned
    from quire_contracts.record import JobRecord
    from quire_contracts.value import Fault

MOST_AT_ONCE: Final = 32
"""Children of a job under way at a time: enough to fill the batches, and a bound to what one commit writes."""


def planned(record: JobRecord, message: FamilyPlanned, moment: Moment) -> Change:
    """Take a plan, and start as many of its children as may be under way; the first one, or the one after a gathering.

    Of a job that waits for no more children the plan is taken as done: what there is becomes the answer.
    """
    family = record.family
    expected = 0 if family is None else family.step + 1
    if record.preparation is not None or message.step != expected or (family is not None and not family.gathering):
        return NOTHING
    record = reach(record, "validated", moment, timings=summed(record.timings, message.timings))
    if family is not None and family.closed:
        return gather(record, msgspec.structs.replace(family, step=message.step), moment)
    children = tuple(
        Child(
            **msgspec.structs.asdict(plan),
            job_id=child_id(record, plan.name),
            state="planned" if plan.document is not None else "completed",
        )
        for plan in message.children
    )
    grown = Family(
        children=(*(family.children if family is not None else ()), *children),
        step=message.step,
        to_come=message.to_come,
        need_to_come=message.to_come if message.need_to_come is None else message.need_to_come,
        allow_partial=message.allow_partial,
        baseline=message.baseline if family is None else family.baseline,
        sense=message.sense if family is None else family.sense,
        unit=message.unit if family is None else family.unit,
        ran=family.ran if family is not None else None,
    )
    if family is None:
        record = evolve(
            record,
            checkpoint=None,  # the loops are the children's
            baseline_to_come=message.baseline_to_come,
            baseline_seconds=record.baseline_seconds or message.baseline_seconds,
            method_seconds=record.method_seconds or message.method_seconds,
        )
    return _go_on(evolve(record, family=grown), moment)


def child_ended(record: JobRecord, message: ChildEnded, moment: Moment) -> Change:
    """A child has ended: its figures become the parent's, and what was waiting for it goes on.

    Where no part of the answer may be missing, one child without an answer ends the job. Of a child that was given up
    only the figures count.
    """
    family = record.family
    child = _untold(family, message.child_id)
    if family is None or child is None:
        return NOTHING
    ended = _with_its_end(child, message, moment)
    children = tuple(ended if each.job_id == ended.job_id else each for each in family.children)
    record = reach(
        record,
        "running",
        moment,
        family=msgspec.structs.replace(family, children=children, ran=together(family.ran, message.ran)),
        shots=record.shots + message.shots,
        cost_usd=record.cost_usd + message.cost_usd,
        timings=summed(record.timings, message.timings),
    )
    if child.state != "running" or record.awaiting is not None:
        return Change(record)
    if ended.state != "completed" and not family.allow_partial:
        return _broken(record, [ended], moment)
    return _go_on(record, moment)


def gathered(record: JobRecord, message: FamilyGathered, moment: Moment) -> Change:
    """The children's answers have become one, which ends the job; what any of them lacks makes it degraded.

    Where children's answers are missing and the classical one is better than what the others came to, that one counts.
    """
    family, result = record.family, message.result
    if family is None or not family.gathering or message.step != family.step:
        return NOTHING
    record = reach(record, "scored", moment, timings=summed(record.timings, message.timings))
    closed = family.closed if message.closing else ""
    reason = "; ".join(text for text in (closed, naming.shortcomings(family), message.reason) if text)
    if not isinstance(result, OptimizeResult):
        review = naming.reviews(family)
        return ending.complete(
            record, moment, result=result, result_ref=message.result_ref, reason=reason, needs_review=review
        )
    whole = not message.closing and all(child.state == "completed" for child in family.children)
    baseline = baseline_of(record)
    if not whole and baseline is not None and is_better(baseline, result.best, family.sense):
        return ending.complete_with_baseline(record, moment, reason)
    return answered(record, moment, result, reason=reason)


def gather(record: JobRecord, family: Family, moment: Moment) -> Change:
    """Have one answer made of the children's; where no more of them are waited for, of those that there are."""
    command = GatherFamily(
        job_id=record.job_id,
        tenant=record.tenant,
        document=record.document,
        seed=record.seed,
        step=family.step,
        children=family.children,
        baseline=baseline_of(record),
        baseline_seconds=record.baseline_seconds,
        method_seconds=record.method_seconds,
        closing=bool(family.closed),
        ran=family.ran,
    )
    gathering = msgspec.structs.replace(family, gathering=True)
    waiting = reach(record, "retrieved", moment, family=gathering, awaiting=None)
    return Change(waiting, (Say(command),))


def has_answers(family: Family) -> bool:
    """Whether any child has an answer, so that there is something to gather."""
    return any(child.result is not None or _has_nothing_to_do(child) for child in family.children)


def _go_on(record: JobRecord, moment: Moment) -> Change:
    """Start who may be started; where nobody is left to wait for, have the answers gathered."""
    family = record.family
    if family is None:
        raise ValueError(f"job {record.job_id} has no children")
    room = MOST_AT_ONCE - sum(child.state == "running" for child in family.children)
    births = [child for child in family.children if child.state == "planned"][: max(0, room)]
    if births:
        begun = {
            child.job_id: msgspec.structs.replace(child, state="running")
            for child in shared_out(record, family, births)
        }
        children = tuple(begun.get(each.job_id, each) for each in family.children)
        grown = msgspec.structs.replace(family, children=children)
        return Change(reach(record, "submitted", moment, family=grown), births=tuple(begun.values()))
    if any(child.state == "running" for child in family.children):
        return Change(record)
    jobs = [child for child in family.children if not _has_nothing_to_do(child)]
    if jobs and all(child.state != "completed" for child in jobs):
        return _broken(record, jobs, moment)
    if awaits_baseline(record):
        return await_baseline(record, moment, "gather")
    return gather(record, family, moment)


def _broken(record: JobRecord, lost: Sequence[Child], moment: Moment) -> Change:
    """End a job that cannot do without children that have no answer: with the classical one where there is one."""
    reason, fault = naming.named(lost), naming.without_answer(lost)
    if awaits_baseline(record):
        return await_baseline(record, moment, "end", reason=reason, fault=fault)
    return give_up(record, moment, reason, fault)


def give_up(record: JobRecord, moment: Moment, reason: str, fault: Fault | None) -> Change:
    """End with the classical answer where there is one, else with the fault."""
    if baseline_of(record) is not None:
        return ending.complete_with_baseline(record, moment, reason)
    return ending.fail(record, moment, fault or ending.unanswered(record, reason))


def _with_its_end(child: Child, message: ChildEnded, moment: Moment) -> Child:
    """A child as it ended; of its own words so many as leave a record of many children small."""
    used = msgspec.structs.replace(child, shots=message.shots, cost_usd=message.cost_usd, ended_at=moment.now)
    if child.state != "running":
        return used
    return msgspec.structs.replace(
        used,
        state=message.state,
        degraded=message.degraded,
        reason=naming.shortened(message.reason),
        fault=naming.shortened_fault(message.fault),
        value=message.value,
        source=message.source,
        result=message.result,
        needs_review=naming.shortened(message.needs_review),
    )


def _untold(family: Family | None, job_id: str) -> Child | None:
    """The child of that id, if its end was not told yet: it is waited for, or was given up."""
    children = family.children if family is not None else ()
    return next((each for each in children if each.job_id == job_id and _is_untold(each)), None)


def _is_untold(child: Child) -> bool:
    return child.state == "running" or (child.state == "cancelled" and child.ended_at is None)


def _has_nothing_to_do(child: Child) -> bool:
    return child.document is None
