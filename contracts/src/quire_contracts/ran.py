"""What ran for a job and for its children, in counts: small however many they are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from quire_contracts import limits
from quire_contracts.value import Name, Seconds, Target, Value

Count = Annotated[int, Meta(ge=0)]


class RanAt(Value, frozen=True, kw_only=True):
    """Runs at one target: `runs` under the calibration that it had last, at `last_at`, and `earlier` under others."""

    target: Target
    calibration_id: Name = ""
    runs: Count = 0
    earlier: Count = 0
    last_at: datetime
    simulator: bool = True


class Ran(Value, frozen=True, kw_only=True):
    """All that ran for a job, its children's and theirs included.

    Runs and failures are those of each job's latest 50 executions and decisions, for its record has no more; `seconds`
    (of execution, without queues) are of all. `jobs` are those that ran anything. At most 32 targets are told apart:
    `runs` counts them all.
    """

    jobs: Count = 0
    runs: Count = 0
    failed: Count = 0
    """Runs that were not answered, or whose answer did not pass its checks."""

    fault_codes: Annotated[
        tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=limits.FAULTS_TOLD_APART)
    ] = ()
    remembered: Count = 0
    """Runs that were answered from memory, and took no seconds now."""

    at: Annotated[tuple[RanAt, ...], Meta(max_length=limits.TARGETS_TOLD_APART)] = ()
    seconds: Seconds = 0.0
    samplings: Count = 0
    """Loops that ended with a last sampling."""

    repeats: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """The chance that each of these samplings would find as good an answer of its own again: the product of theirs."""
