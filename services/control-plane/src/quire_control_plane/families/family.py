"""A job that is done by its children: they are planned, started a few at a time, waited for, and gathered.

Nothing here is lost or done twice. A child exists if and only if its parent's record says that it was started, for both
are written in one commit; its end is told in the commit that ends it, and counts while the parent waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.family import Child, Family, GatherFamily
from quire_contracts.record import evolve
from quire_contracts.result import OptimizeResult
from quire_contracts.so_far import baseline_of
from quire_contracts.value import Fault
from quire_control_plane.change import NOTHING, Change, Moment, Say, reach
from quire_control_plane.endings import ending
from quire_control_plane.endings.accepting import answered
from quire_control_plane.families.children import child_id
from quire_control_plane.timings import summed

if TYPE_CHECKING:
    from quire_contracts.family import ChildEnded, FamilyGathered, FamilyPlanned
    from quire_contracts.record import JobRecord

MOST_AT_ONCE: Final = 32
"""Children of a job under way at a time: enough to fill the batches, and a bound to what one commit writes."""

_NAMED: Final = 3


def planned(record: JobRecord, message: FamilyPlanned, moment: Moment) -> Change:
    """Take a plan, and start as many of its children as may be under way; the first one, or the one after a gathering.

    What is left of the budget is shared out evenly: to these children, and to those that later plans will have.
    """
    family = record.family
    expected = 0 if family is None else family.step + 1
    if record.preparation is not None or message.step != expected or (family is not None and not family.gathering):
        return NOTHING
    shares = max(1, len(message.children) + message.to_come)
    children = tuple(
        Child(
            **msgspec.structs.asdict(plan),
            job_id=child_id(record, plan.name),
            state="planned" if plan.document is not None else "completed",
            max_shots=None if record.max_shots is None else max(0, record.max_shots - record.shots) // shares,
            max_usd=None if record.max_usd is None else max(0.0, record.max_usd - record.cost_usd) / shares,
        )
        for plan in message.children
    )
    grown = Family(
        children=(*(family.children if family is not None else ()), *children),
        step=message.step,
        to_come=message.to_come,
        allow_partial=message.allow_partial,
        baseline=message.baseline if family is None else family.baseline,
        sense=message.sense if family is None else family.sense,
        unit=message.unit if family is None else family.unit,
    )
    record = reach(record, "validated", moment, timings=summed(record.timings, message.timings))
    if family is None:
        told = {"baseline_seconds": message.baseline_seconds, "method_seconds": message.method_seconds}
        record = evolve(record, checkpoint=None, **told)  # the loops are the children's
    return _go_on(evolve(record, family=grown), moment)


def child_ended(record: JobRecord, message: ChildEnded, moment: Moment) -> Change:
    """A child has ended: its figures become the parent's, and what was waiting for it goes on.

    Where no part of the answer may be missing, one child without an answer ends the job.
    """
    family = record.family
    child = _running(family, message.child_id)
    if family is None or child is None:
        return NOTHING
    ended = msgspec.structs.replace(
        child,
        state=message.state,
        degraded=message.degraded,
        reason=message.reason,
        fault=message.fault,
        value=message.value,
        source=message.source,
        shots=message.shots,
        cost_usd=message.cost_usd,
        ended_at=moment.now,
        result=message.result,
    )
    children = tuple(ended if each.job_id == ended.job_id else each for each in family.children)
    record = reach(
        record,
        "running",
        moment,
        family=msgspec.structs.replace(family, children=children),
        shots=record.shots + message.shots,
        cost_usd=record.cost_usd + message.cost_usd,
        timings=summed(record.timings, message.timings),
    )
    if ended.state != "completed" and not family.allow_partial:
        return _broken(record, ended, moment)
    return _go_on(record, moment)


def gathered(record: JobRecord, message: FamilyGathered, moment: Moment) -> Change:
    """The children's answers have become one, which ends the job; what any of them lacks makes it degraded."""
    family = record.family
    if family is None or not family.gathering or message.step != family.step:
        return NOTHING
    record = reach(record, "scored", moment, timings=summed(record.timings, message.timings))
    reason = "; ".join(text for text in (_shortcomings(family), message.reason) if text)
    if isinstance(message.result, OptimizeResult):
        return answered(record, moment, message.result, reason=reason)
    return ending.complete(record, moment, result=message.result, result_ref=message.result_ref, reason=reason)


def named(child: Child) -> str:
    """What a child is called in a sentence."""
    return f"{child.role} {child.label or child.name}"


def _go_on(record: JobRecord, moment: Moment) -> Change:
    """Start who may be started; where nobody is left to wait for, have the answers gathered."""
    family = _family(record)
    room = MOST_AT_ONCE - sum(child.state == "running" for child in family.children)
    births = [child for child in family.children if child.state == "planned"][: max(0, room)]
    if births:
        begun = {child.job_id for child in births}
        children = tuple(
            msgspec.structs.replace(each, state="running") if each.job_id in begun else each for each in family.children
        )
        grown = msgspec.structs.replace(family, children=children)
        return Change(reach(record, "submitted", moment, family=grown), births=tuple(births))
    if any(child.state == "running" for child in family.children):
        return Change(record)
    if family.children and all(child.state != "completed" for child in family.children):
        return _broken(record, family.children[-1], moment)
    return _gather(record, family, moment)


def _gather(record: JobRecord, family: Family, moment: Moment) -> Change:
    gather = GatherFamily(
        job_id=record.job_id,
        tenant=record.tenant,
        document=record.document,
        seed=record.seed,
        step=family.step,
        children=family.children,
        baseline=family.baseline,
        baseline_seconds=record.baseline_seconds,
        method_seconds=record.method_seconds,
    )
    waiting = reach(record, "retrieved", moment, family=msgspec.structs.replace(family, gathering=True))
    return Change(waiting, (Say(gather),))


def _broken(record: JobRecord, child: Child, moment: Moment) -> Change:
    """End a job that cannot do without a child: with the classical answer where there is one."""
    reason = f"{named(child)} {_how(child)}"[:2_000]
    if baseline_of(record) is not None:
        return ending.complete_with_baseline(record, moment, reason)
    fault = Fault(
        kind=child.fault.kind if child.fault is not None else "unknown",
        code="child-without-answer",
        reason=reason,
        next_step=f"see job {child.job_id}; `allow_partial` would go on without it",
        retryable=child.fault is not None and child.fault.retryable,
    )
    return ending.fail(record, moment, fault)


def _shortcomings(family: Family) -> str:
    """What the children's answers lack, the first of them named."""
    lesser = [child for child in family.children if child.degraded or child.state != "completed"]
    texts = [f"{named(child)} {_how(child)}" for child in lesser[:_NAMED]]
    if len(lesser) > _NAMED:
        texts.append(f"and {len(lesser) - _NAMED} more")
    return "; ".join(texts)[:2_000]


def _how(child: Child) -> str:
    what = "is degraded" if child.state == "completed" else f"is {child.state}"
    return f"{what}: {child.reason}" if child.reason else what


def _running(family: Family | None, job_id: str) -> Child | None:
    """The child of that id, if it is waited for."""
    children = family.children if family is not None else ()
    return next((each for each in children if each.job_id == job_id and each.state == "running"), None)


def _family(record: JobRecord) -> Family:
    if record.family is None:
        raise ValueError(f"job {record.job_id} has no children")
    return record.family
