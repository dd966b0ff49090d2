"""Settings of batching."""

from __future__ import annotations

from quire_batching.grouping import Load
from quire_batching.window import Policy
from quire_service import Field, ServiceSettings


class Settings(ServiceSettings):
    """How long tasks wait for company, and how large a batch may become."""

    customer_facing_window_seconds: float = Field(default=0.005, ge=0, le=60)
    production_window_seconds: float = Field(default=0.020, ge=0, le=60)
    validation_window_seconds: float = Field(default=0.050, ge=0, le=60)
    research_window_seconds: float = Field(default=0.050, ge=0, le=60)
    deadline_reserve_seconds: float = Field(
        default=1.0, ge=0, le=3600, description="How long before a task's deadline its batch leaves at the latest."
    )
    max_members: int = Field(default=256, ge=1, le=900, description="Tasks in a batch.")
    max_rows: int = Field(default=4_096, ge=1, le=100_000, description="Parameter sets in a batch.")
    max_shots: int = Field(default=10_000_000, ge=1, description="Shots in a batch, over all of its parameter sets.")
    max_bytes: int = Field(
        default=96 * 1024, ge=1024, le=128 * 1024, description="JSON of the members; it comes back with the results."
    )
    workers: int = Field(default=512, ge=1, le=5_000, description="Tasks that may wait in windows at the same time.")

    @property
    def limits(self) -> Load:
        """The size limits of a batch."""
        return Load(self.max_members, self.max_rows, self.max_shots, self.max_bytes)

    @property
    def policy(self) -> Policy:
        """When windows close."""
        return Policy(
            self.limits,
            {
                "customer-facing": self.customer_facing_window_seconds,
                "production": self.production_window_seconds,
                "validation": self.validation_window_seconds,
                "research": self.research_window_seconds,
            },
        )
