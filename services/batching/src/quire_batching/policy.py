"""The rules that the queues keep, as data: bounds of each class, weights, sizes, and what providers allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from quire_batching.load import Load
from quire_contracts.value import Priority


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a task of one class is held back at most, in seconds of its arrival.

    window: for company's sake, where its target could take it.
    hold: for its target's sake, because that is busy and others are in turn; then it is sent all the same.
    """

    window: float
    hold: float


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that decides when tasks leave, and with whom.

    limits: of a batch, by pattern of targets (`*` and `?`), the first that matches; `*` must be among them.
    places: batches of one target under way at once, by pattern alike.
    fixed_window: seconds; None adapts. A fixed window neither looks at places nor lets a lone task go early.
    lone_windows: how many windows a task waits that is alone when the first one is over.
    batch_seconds: what one batch may take at a target, in seconds.
    """

    limits: Mapping[str, Load]
    places: Mapping[str, int]
    bounds: Mapping[Priority, Bounds]
    class_weights: Mapping[str, float] = field(default_factory=dict)
    tenant_weights: Mapping[str, float] = field(default_factory=dict)
    fixed_window: float | None = None
    lone_windows: float = 1.0
    batch_seconds: float = 0.2

    def limits_of(self, target: str) -> Load:
        """The size limits of a target's batches."""
        return next(limits for pattern, limits in self.limits.items() if fnmatchcase(target, pattern))

    def places_of(self, target: str) -> int:
        """How many batches of a target may be under way at once."""
        return next(places for pattern, places in self.places.items() if fnmatchcase(target, pattern))
