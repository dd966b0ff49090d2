"""Jobs with children: what a parent plans, whom it waits for, and what it makes of their answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quire_contracts.preparation import Baseline, MethodSeconds
from quire_contracts.ran import Ran
from quire_contracts.result import EstimateResult, JobResult, MinimizeResult, OptimizeResult
from quire_contracts.value import BlobRef, Fault, Key, Name, Seconds, Tenant, Text, Timing, Value

Role = Literal["variant", "part", "merge"]
"""What a child is for: one point of a sweep, one part of a problem, or the problem of how the parts fit together."""

Need = Annotated[float, Meta(gt=0)]
ChildState = Literal["planned", "running", "completed", "failed", "cancelled", "rejected"]


class Parent(Value, frozen=True):
    """Whose child a job is, and what it is called there."""

    job_id: Key
    name: Key


class ChildPlan(Value, frozen=True, kw_only=True):
    """A child before it is a job. `document` is its whole job document; None: it has nothing to decide, and is no job.

    `label` and `x` are what a table of results calls it; `variables` are the parent's that a part's are, in its order.
    `need` is what it takes beside its siblings: budgets are shared out by it.
    """

    name: Key
    role: Role
    document: BlobRef | None = None
    label: Name = ""
    x: float | None = None
    variables: tuple[int, ...] = ()
    need: Need = 1.0


class Child(ChildPlan, frozen=True, kw_only=True):
    """A child as its parent's record has it. `value` is its result's first figure, `result` all of it, by reference."""

    job_id: Key
    state: ChildState = "planned"
    max_shots: int | None = None
    max_usd: float | None = None
    max_seconds: float | None = None
    """Its share of what was left of the budget when it was begun; None before, and without a budget."""

    degraded: bool = False
    reason: Text = ""
    fault: Fault | None = None
    value: float | None = None
    source: Annotated[str, Meta(max_length=32)] = ""
    shots: int = 0
    cost_usd: float = 0.0
    ended_at: datetime | None = None
    """None of one that its parent gave up, until its own end is told."""

    result: BlobRef | None = None
    needs_review: Text = ""


class Family(Value, frozen=True, kw_only=True):
    """A parent's children, in the order in which they were planned, and how far their gathering is.

    `step` counts the plans, from 0; `gathering` says that the children of all of them have ended and preprocessing has
    their answers; `closed` says why no more of them are waited for, where that is so. `to_come` is how many children
    later plans will have, and `need_to_come` what they take, for sharing out the budget. `baseline`, `sense` and `unit`
    are those of an optimisation. `ran` is what ran for the children that have ended.
    """

    children: tuple[Child, ...]
    step: int = 0
    to_come: int = 0
    need_to_come: Annotated[float, Meta(ge=0)] = 0.0
    gathering: bool = False
    closed: Text = ""
    allow_partial: bool = False
    baseline: Baseline | None = None
    sense: Literal["min", "max"] | None = None
    unit: Text = ""
    ran: Ran | None = None


class FamilyPlanned(Value, frozen=True, kw_only=True):
    """A job is done by its children: these, of this step, together; then their answers are gathered.

    `baseline_to_come` says that the whole problem's classical answer is being found meanwhile; `baseline` and its
    seconds are those of a release that found it before.
    """

    job_id: Key
    tenant: Tenant
    children: tuple[ChildPlan, ...]
    step: int = 0
    to_come: int = 0
    need_to_come: Annotated[float, Meta(ge=0)] | None = None
    """None: as many children as are `to_come` take as much as those of one `need` each."""

    allow_partial: bool = False
    baseline: Baseline | None = None
    baseline_seconds: Seconds = 0.0
    method_seconds: MethodSeconds = msgspec.field(default_factory=dict)
    sense: Literal["min", "max"] | None = None
    unit: Text = ""
    timings: tuple[Timing, ...] = ()
    baseline_to_come: bool = False


class ChildEnded(Value, frozen=True, kw_only=True):
    """A child of the job `job_id` has ended, however that was; its own end is said under its own id."""

    job_id: Key
    tenant: Tenant
    child_id: Key
    name: Key
    state: ChildState
    degraded: bool = False
    reason: Text = ""
    fault: Fault | None = None
    value: float | None = None
    source: Annotated[str, Meta(max_length=32)] = ""
    shots: int = 0
    cost_usd: float = 0.0
    timings: tuple[Timing, ...] = ()
    result: BlobRef | None = None
    needs_review: Text = ""
    ran: Ran | None = None


class GatherFamily(Value, frozen=True, kw_only=True):
    """Make one answer of the children's, or plan those that follow. `document` is the parent's.

    With `closing` there is no time for others: what there is becomes the answer. `ran` is what ran for the children.
    """

    job_id: Key
    tenant: Tenant
    document: BlobRef
    seed: int
    step: int
    children: tuple[Child, ...]
    baseline: Baseline | None = None
    baseline_seconds: Seconds = 0.0
    method_seconds: MethodSeconds = msgspec.field(default_factory=dict)
    closing: bool = False
    ran: Ran | None = None


class FamilyGathered(Value, frozen=True, kw_only=True):
    """The answer of a family, in `result` or, where it is too large for a message, as JSON behind `result_ref`.

    A `reason` says why it is not the whole answer that was asked for.
    """

    job_id: Key
    tenant: Tenant
    step: int
    result: JobResult | None = None
    result_ref: BlobRef | None = None
    reason: Text = ""
    timings: tuple[Timing, ...] = ()
    closing: bool = False
    """Whether it is of what there was, because no more children were waited for."""


def headline(result: JobResult | None) -> tuple[float | None, float | None]:
    """The one figure by which a result stands in a table, and its standard error; None where there is none.

    Of an optimisation the best value, of a minimisation the energy; of an estimate the first observable's at the first
    parameter set.
    """
    match result:
        case OptimizeResult(best=best):
            return best.value, None
        case MinimizeResult(energy=energy, std_error=error):
            return energy, error
        case EstimateResult(values=values, std_errors=errors) if values and values[0]:
            return values[0][0], errors[0][0]
        case _:
            return None, None
