"""What can go wrong at a provider, in sixteen classes, and what each of them makes the house do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from quire_contracts.value import FaultKind

ErrorClass = Literal[
    "transient",
    "throttled",
    "capacity",
    "unavailable",
    "calibration",
    "unsupported",
    "invalid",
    "budget",
    "session",
    "exec-timeout",
    "exec-failed",
    "auth",
    "gone",
    "ambiguous",
    "cancelled",
    "progress",
]
"""`progress` is no failure at all: the provider says that a job is not where the call took it to be."""

Again = Literal["same", "later", "never"]
"""Whether the very same call may be made again: soon, when the provider has room for it, or not at all."""

BreakerEffect = Literal["none", "failure", "device", "account"]
"""What an error does to breakers: nothing, a failure more in the window, or a device or account opens at once."""


@dataclass(frozen=True, slots=True)
class Action:
    """What follows from a class.

    kind: how the rest of the house calls it.
    again: whether the same call may be repeated, by the one layer that repeats calls.
    least_wait: seconds before that, where the provider does not say.
    """

    kind: FaultKind
    again: Again = "never"
    breaker: BreakerEffect = "none"
    least_wait: float = 0.0


ACTIONS: Final[dict[ErrorClass, Action]] = {
    "transient": Action("transient", "same", "failure"),
    "throttled": Action("transient", "later", least_wait=1.0),
    "capacity": Action("capacity", "later", least_wait=30.0),
    "unavailable": Action("offline", breaker="device"),
    "calibration": Action("calibration", breaker="failure"),
    "unsupported": Action("invalid"),
    "invalid": Action("invalid"),
    "budget": Action("spend"),
    "session": Action("transient", "same"),
    "exec-timeout": Action("invalid"),
    "exec-failed": Action("transient", breaker="failure"),
    "auth": Action("offline", breaker="account"),
    "gone": Action("offline", breaker="device"),
    "ambiguous": Action("unknown", breaker="failure"),
    "cancelled": Action("transient"),
    "progress": Action("transient"),
}
