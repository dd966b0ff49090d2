"""What mitigated work gives: the counts of each scale of noise, valued, extrapolated, and noted as what they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from quire_plane.reduction import reduced
from quire_quantum.counts import select_rows
from quire_quantum.executor import MemberOutcome, Outcome, Work
from quire_quantum.extrapolation import extrapolated
from quire_quantum.observables import expectation, group
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_contracts.value import Observable
    from quire_quantum.counts import PackedCounts
    from quire_quantum.observables import Grouping

    Array = NDArray[np.float64]

Perform = Callable[[Work], Awaitable[Outcome]]

Estimate = Callable[["PackedCounts", Sequence["Observable"], "Grouping"], tuple["Array", "Array"]]
"""Values and standard errors of observables from counts, as `observables.expectation` has them."""

Mitigate = Callable[[Work, Perform, "Grouping | None"], Awaitable[Outcome]]
"""Has mitigated work performed, and gives its outcome with the noise taken out and `Execution.mitigation` filled in."""

Facts = Mapping[str, str | int | float | bool | None]


async def folding_alone(work: Work, perform: Perform, grouping: Grouping | None) -> Outcome:
    """Mitigation where reading cannot be calibrated: zero-noise extrapolation, and nothing else.

    Raises:
        Permanent: kind `invalid`, code `unsupported-mitigation`: the work asks for more.
    """
    if work.mitigation is not None and work.mitigation.readout is not None:
        raise unsupported("read-out errors cannot be mitigated here")
    return valued(work, await perform(work), grouping)


async def needless(work: Work, perform: Perform, grouping: Grouping | None) -> Outcome:
    """Mitigation where there is no noise: the work as it is, and a note that says so."""
    plain = replace(work, mitigation=None)
    return noted(reduced(plain, await perform(plain), grouping), {"applied": False, "why": "the target has no noise"})


def valued(work: Work, outcome: Outcome, grouping: Grouping | None = None, estimate: Estimate = expectation) -> Outcome:
    """The values of mitigated work with observables, from its counts at every scale of noise.

    outcome: counts row-major over [parameter set, scale, group].
    grouping: of the work's observables, if it is known.
    estimate: values counts; whoever takes errors of reading out gives their own.

    Raises:
        Permanent: the work needs its counts too, which extrapolation does not give.
    """
    if not work.reduced or work.mitigation is None:
        raise unsupported("only observables' values can be mitigated, not the samples behind them")
    grouping = grouping or group(work.observables)
    scales = outcome.scales or work.scales
    members = tuple([_valued(work, member, grouping, estimate, scales) for member in outcome.members])
    facts: dict[str, str | int | float | bool | None] = {}
    if scales != work.scales:
        facts["zne_reached"] = _listed(scales)
    if len(set(scales)) < len(work.scales):
        facts["zne_applied"] = False  # too few gates to tell the scales apart
    return noted(replace(outcome, members=members), described(work) | facts)


def described(work: Work) -> dict[str, str | int | float | bool | None]:
    """What the work's mitigation is, as its provenance says it."""
    found: dict[str, str | int | float | bool | None] = {"applied": True}
    asked = work.mitigation
    if asked is not None and asked.readout is not None:
        found |= {"readout": asked.readout.method, "readout_shots": asked.readout.shots}
    if asked is not None and asked.zne is not None:
        factors = _listed(asked.zne.scale_factors)
        found |= {"zne_scale_factors": factors, "zne_extrapolation": asked.zne.extrapolation, "zne_folding": "gates"}
    return found


def noted(outcome: Outcome, facts: Facts) -> Outcome:
    """The outcome with facts added to what its execution says of mitigation."""
    execution = outcome.execution
    said = {**execution.mitigation, **facts}
    return replace(outcome, execution=msgspec.structs.replace(execution, mitigation=said))


def unsupported(reason: str) -> Permanent:
    """Mitigation that this target cannot do, so that another may be tried."""
    return Permanent(
        "unsupported-mitigation",
        reason,
        next_step="Choose another target, or leave that part of `mitigation` out.",
        kind="invalid",
    )


def _listed(scales: Sequence[float]) -> str:
    return " ".join(f"{scale:.4g}" for scale in scales)


def _valued(
    work: Work, member: MemberOutcome, grouping: Grouping, estimate: Estimate, reached: Sequence[float]
) -> MemberOutcome:
    if member.fault is not None:
        return member
    if member.counts is None:
        raise unsupported("the target gave values instead of counts")
    scales, groups = work.scales or (1.0,), len(grouping.bases)
    rows = np.arange(member.counts.rows).reshape(-1, len(scales), groups)
    found = [
        estimate(select_rows(member.counts, rows[:, index].ravel()), work.observables, grouping)
        for index in range(len(scales))
    ]
    values, errors = (np.array(each) for each in zip(*found, strict=True))
    zne = work.mitigation.zne if work.mitigation is not None else None
    if zne is None or len(set(reached)) < len(scales):
        return MemberOutcome(None, values[0], errors[0])
    floor = np.array([_worth_of_noise(observable) for observable in work.observables])
    return MemberOutcome(None, *extrapolated(zne.extrapolation, reached, values, errors, floor))


def _worth_of_noise(observable: Observable) -> float:
    """An observable's value in the fully mixed state: that of its identity."""
    terms = zip(observable.labels, observable.coefficients, strict=True)
    return sum(coefficient for label, coefficient in terms if not label.strip("I"))
