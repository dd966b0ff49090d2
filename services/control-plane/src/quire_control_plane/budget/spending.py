"""A budget of money: no task is sent where it may cost more than is left, and none whose price nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.record import Away
from quire_contracts.value import Fault
from quire_control_plane.budget.worth import appraisal_of, question

if TYPE_CHECKING:
    from quire_contracts.appraisal import AppraiseWork
    from quire_contracts.record import JobRecord, Pending
    from quire_contracts.value import Target
    from quire_control_plane.change import Moment
    from quire_policy import Route

UNPRICED: Final = "nobody says what the work would cost there"
AGAIN_SECONDS: Final = 5.0
"""After so long a price that nobody knew is asked for again."""


class TooDear(Exception):
    """No target takes the next task for what is left of the job's budget; `record` has the appraisals that say so."""

    def __init__(self, record: JobRecord, reason: str) -> None:
        super().__init__(reason)
        self.record = record
        self.reason = reason

    @property
    def fault(self) -> Fault:
        """For a job that has no answer without the task."""
        return Fault(
            kind="spend",
            code="budget-exceeded",
            reason=self.reason,
            next_step="Raise budget.max_usd, ask for fewer shots or parameter sets, or allow a target that is free.",
            retryable=False,
        )


@dataclass(frozen=True, slots=True)
class Price:
    """What a task at a target may cost: `ask` first; else known or not, and whether it fits what is left."""

    ask: AppraiseWork | None = None
    known: bool = True
    fits: bool = True
    reason: str = ""


def price_of(record: JobRecord, target: Target, rows: int, moment: Moment) -> Price:
    """The price of a task of the job at a target, held against what is left of its budget."""
    if record.max_usd is None or moment.plain(target):
        return Price()
    asked = question(record, target, rows)
    known = appraisal_of(record, target)
    if known is None or (known.paid and known.parameter_sets != rows):
        if asked not in moment.appraised:
            return Price(ask=asked)
        known = moment.appraised[asked]
    if known is None:
        return Price(known=False, fits=False, reason=f"{target}: {UNPRICED}")
    left = record.max_usd - record.cost_usd
    if known.usd <= left:
        return Price()
    reason = (
        f"{target}: the next task may cost {known.usd:.2f} USD, and {max(0.0, left):.2f} of {record.max_usd:g} are left"
    )
    return Price(fits=False, reason=reason)


def within_budget(record: JobRecord, route: Route, rows: int, moment: Moment) -> tuple[Route, tuple[Target, ...]]:
    """The route without the targets that the budget does not allow; and those of it that wait for a price.

    Where only targets without a known price are left, all of the route waits. `worth.way_of` has asked before.

    Raises:
        TooDear: nothing is left of the route.
    """
    if record.max_usd is None:
        return route, ()
    prices = {target: price_of(record, target, rows, moment) for target in route.targets}
    allowed = tuple(target for target, price in prices.items() if price.fits)
    unpriced = tuple(target for target, price in prices.items() if not price.known)
    reasons = tuple(price.reason for price in prices.values() if price.reason)
    if not reasons:
        return route, ()
    if not allowed and not unpriced:
        raise TooDear(record, f"the budget of {record.max_usd:g} USD: {'; '.join(reasons)}"[:2_000])
    narrowed = msgspec.structs.replace(route, targets=allowed or unpriced, reasons=(*route.reasons, *reasons))
    return narrowed, () if allowed else unpriced


def away(unpriced: tuple[Target, ...], moment: Moment) -> tuple[Away, ...]:
    """Targets as a task has them that wait for a price: asked again in a while."""
    until = moment.now + timedelta(seconds=AGAIN_SECONDS)
    return tuple(Away(target, until, UNPRICED) for target in unpriced)


def refused(pending: Pending, target: Target, price: Price, moment: Moment) -> Pending:
    """A task that is not sent to a target for its price: not any more, or not until that is known."""
    if price.known:
        return msgspec.structs.replace(pending, ruled_out=(*pending.ruled_out, target))
    others = tuple(each for each in pending.away if each.target != target)
    return msgspec.structs.replace(pending, away=(*others, *away((target,), moment)))
