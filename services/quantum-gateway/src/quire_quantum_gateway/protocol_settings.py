"""What the gateway can be told of how it submits paid work once: how long doubt lasts, and how patient it is."""

from __future__ import annotations

from quire_quantum_gateway.desk import Pace
from quire_quantum_gateway.provider_settings import ProviderSettings
from quire_quantum_gateway.recovery import Rules
from quire_service import Field


class ProtocolSettings(ProviderSettings):
    """The settings of the submission protocol, from QUIRE_QUANTUM_GATEWAY_*."""

    quarantine_seconds: float = Field(
        default=300.0,
        ge=0,
        description="After a call whose outcome is unknown, until a search that finds nothing is believed. Longer than "
        "the longest call, the longest pause of a process and the lag of a provider's search together.",
    )
    quarantine_searches: int = Field(default=3, ge=1, le=100, description="Searches that must find nothing by then.")
    search_seconds: float = Field(default=10.0, gt=0, description="Between two of them.")
    quarantine_recalls: int = Field(
        default=3, ge=0, le=100, description="Calls after quarantines that found nothing; then an operator must look."
    )
    token_seconds: float = Field(
        default=24 * 3600.0, gt=0, description="How long a provider is trusted to know a token again."
    )
    begin_call_seconds: float = Field(
        default=5.0, gt=0, description="A call that has not begun so long after it was announced is not made."
    )
    poll_seconds: float = Field(default=0.5, gt=0, description="Until a remote job is looked at, at first.")
    poll_most_seconds: float = Field(default=10.0, gt=0, description="Until it is looked at again, at most.")
    batches_per_local_target: int = Field(default=16, ge=1, le=4096, description="Batches begun at once; more wait.")
    batches_per_remote_target: int = Field(
        default=128, ge=1, le=4096, description="Batches at one remote target, waiting ones included; more come later."
    )
    reconcile_seconds: float = Field(
        default=600.0, gt=0, description="How often the providers' lists of jobs are compared with the journal."
    )
    reconcile_hours: float = Field(default=24.0, gt=0, description="How far back that looks.")
    cancel_orphans: bool = Field(
        default=True,
        description="Jobs that bear this installation's tag and belong to no batch that is known are cancelled.",
    )
    failpoint: str = Field(
        default="", max_length=64, description="For tests: where the process ends, as in `announced` or `announced:3`."
    )

    @property
    def rules(self) -> Rules:
        """How long doubt lasts."""
        return Rules(
            quarantine_seconds=self.quarantine_seconds,
            searches=self.quarantine_searches,
            search_seconds=self.search_seconds,
            recalls=self.quarantine_recalls,
            token_seconds=self.token_seconds,
        )

    @property
    def pace(self) -> Pace:
        """How patient the gateway is with remote providers."""
        return Pace(
            begin_within=self.begin_call_seconds,
            call_within=self.call_seconds,
            poll=self.poll_seconds,
            poll_most=self.poll_most_seconds,
        )
