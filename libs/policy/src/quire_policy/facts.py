"""What a routing decision looks at, and what it comes to."""

from __future__ import annotations

import msgspec


class Facts(msgspec.Struct, frozen=True):
    """One piece of work, before it is sent anywhere.

    `targets` are the job's own, in its order; empty where it leaves the choice to the rules. `shots` None asks for
    exact values.
    """

    kind: str
    phase: str
    priority: str
    tenant: str
    project: str
    qubits: int
    shots: int | None
    parameter_sets: int
    targets: tuple[str, ...] = ()


class Route(msgspec.Struct, frozen=True):
    """Where work runs: `targets` in order of preference (never empty), the rules that matched, and why."""

    targets: tuple[str, ...]
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
