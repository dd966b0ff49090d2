"""A loop's last sampling against the round that chose its parameters: one circuit has one energy, whenever it runs.

What turns bits around, or mixes outcomes up, keeps every total and gives each outcome a value of its own; but the mean
of all of them is no longer what the same circuit had in its round.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from quire_aggregation.scoring import tolerance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quire_aggregation.evidence import Evidence
    from quire_contracts.task import Scoring
    from quire_contracts.value import Execution

DEVIATIONS: Final = 8.0
"""Standard errors that the means may lie apart. A round was the lowest of many, so its own is some three too low."""

DRIFT: Final = 0.1
"""Of the energy beyond the mean over all outcomes: what the noise of a simulated device may change from day to day."""


def unsteady(evidence: Evidence) -> str | None:
    """How far the mean energy of the last sampling is from the round's, where that is too far to be chance."""
    expected = evidence.scoring.expected if evidence.scoring is not None else None
    if expected is None or evidence.estimates is None:
        return None
    observable = evidence.question.observables[0]
    energy, error = (float(each[0, 0]) for each in evidence.estimates)
    pairs = zip(observable.labels, observable.coefficients, strict=True)
    even = math.fsum(coefficient for label, coefficient in pairs if not label.strip("I"))
    noise = DEVIATIONS * math.hypot(error, expected.std_error)
    if abs(energy - expected.energy) <= noise + DRIFT * abs(expected.energy - even) + tolerance(observable):
        return None
    return (
        f"the mean energy is {energy:.6g} ± {error:.2g}, and was {expected.energy:.6g} ± {expected.std_error:.2g} "
        "in the round that chose these parameters"
    )


def comparable(scoring: Scoring | None, executions: Iterable[Execution]) -> Scoring | None:
    """The scoring without what it expects, unless all of it ran on a simulator at the very target of the round.

    A device drifts, and another target's noise is another one: a mean elsewhere proves nothing.
    """
    if scoring is None or scoring.expected is None:
        return scoring
    target = scoring.expected.target
    if all(execution.simulator and execution.target == target for execution in executions):
        return scoring
    return msgspec.structs.replace(scoring, expected=None)
