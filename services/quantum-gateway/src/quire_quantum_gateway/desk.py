"""What all submissions of one gateway share: the journal, the calls, the clock, and how patient it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quire_quantum_gateway.drift import Drifts
from quire_quantum_gateway.failpoints import NoFailpoints

if TYPE_CHECKING:
    from quire_quantum_gateway.alarms import Alarms
    from quire_quantum_gateway.calls import Calls
    from quire_quantum_gateway.failpoints import Failpoints
    from quire_quantum_gateway.findings import Findings
    from quire_quantum_gateway.providers.port import IdentityMode, Provider
    from quire_quantum_gateway.submissions import Submissions
    from quire_resilience.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient a gateway is with a remote provider; all in seconds.

    begin_within: after `Called` was written, a call that has not begun is not made.
    call_within: after it, its outcome is unknown.
    poll, poll_most: between two looks at a job, at first and at most.
    appears_within: after it was accepted, a job that the provider does not know is waited for.
    """

    begin_within: float = 5.0
    call_within: float = 30.0
    poll: float = 0.5
    poll_most: float = 10.0
    appears_within: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all pursuits of one gateway share."""

    journal: Submissions
    calls: Calls
    findings: Findings
    clock: Clock
    alarms: Alarms
    pace: Pace = field(default_factory=Pace)
    failpoints: Failpoints = field(default_factory=NoFailpoints)
    drifts: Drifts = field(default_factory=Drifts)
    late: set[asyncio.Task[Any]] = field(default_factory=set)
    """Answers of calls that came after their time, on their way to the journal."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a submission goes, and whose work it is."""

    target: str
    provider: Provider
    backend: str
    mode: IdentityMode
    tenants: frozenset[str] = frozenset()
