"""What the gateway can be told of how it guards itself and its providers: rates, breakers, retries, patience."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from quire_quantum_gateway.postponing import Patience
from quire_resilience.breaker import BreakerPolicy
from quire_resilience.retry import RetryPolicy
from quire_service import Field, ServiceSettings

Rate = Annotated[float, Field(gt=0, le=100_000)]
Places = Annotated[int, Field(ge=1, le=100_000)]


class GuardSettings(ServiceSettings):
    """The settings of the guard, from QUIRE_QUANTUM_GATEWAY_*. Keys are targets; * and ? stand for any characters."""

    call_rates: dict[str, Rate] = Field(
        default={"aws:*": 140.0}, description="Calls a second of all targets together that a key stands for."
    )
    create_rates: dict[str, Rate] = Field(
        default={"aws:*": 20.0}, description="Of them, calls that give work to a provider."
    )
    jobs_at_once: dict[str, Places] = Field(
        default={}, description="Jobs of this gateway at a provider, of all targets together that a key stands for."
    )
    breaker_window_seconds: float = Field(default=60.0, gt=0, description="Outcomes of calls are remembered so long.")
    breaker_least_calls: int = Field(default=10, ge=1, description="Fewer calls in the window say nothing.")
    breaker_failure_rate: float = Field(
        default=0.5, gt=0, le=1, description="The share of failed calls that stops calls of an operation at a device."
    )
    breaker_open_seconds: float = Field(
        default=30.0, gt=0, description="How long they are stopped before the provider is asked again, for free."
    )
    breaker_longest_seconds: float = Field(
        default=600.0, gt=0, description="The longest that becomes, doubled with each relapse."
    )
    retry_tries: int = Field(default=4, ge=1, le=20, description="Tries of one call that may be repeated.")
    retry_seconds: float = Field(default=60.0, ge=0, description="From the first of them to the last.")
    patience_seconds: float = Field(
        default=120.0,
        ge=0,
        description="How old a batch may become while its provider has no room for it. A deadline ends that sooner.",
    )
    patience_down_seconds: float = Field(
        default=10.0,
        ge=0,
        description="The same while its target takes no work at all; then its tasks go elsewhere, or wait outside.",
    )

    @property
    def breaker_policy(self) -> BreakerPolicy:
        """When breakers open and how they come back."""
        return BreakerPolicy(
            window_seconds=self.breaker_window_seconds,
            least_calls=self.breaker_least_calls,
            failure_rate=self.breaker_failure_rate,
            open_seconds=self.breaker_open_seconds,
            longest_seconds=max(self.breaker_open_seconds, self.breaker_longest_seconds),
        )

    @property
    def patience(self) -> Patience:
        """How long batches wait for their providers."""
        return Patience(timedelta(seconds=self.patience_down_seconds), timedelta(seconds=self.patience_seconds))

    @property
    def retry_policy(self) -> RetryPolicy:
        """How often and how long calls are repeated."""
        return RetryPolicy(tries=self.retry_tries, seconds=self.retry_seconds)
