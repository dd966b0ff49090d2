"""Settings of batching."""

from __future__ import annotations

from dataclasses import replace

from quire_batching.load import Load
from quire_batching.policy import Bounds, Policy
from quire_service import Field, ServiceSettings

_MIB = 1024 * 1024


class Settings(ServiceSettings):
    """How long tasks wait for company and for a busy target, how large a batch may become, and who goes first."""

    customer_facing_window_seconds: float = Field(
        default=0.02, ge=0, le=60, description="The widest window that is chosen for a class; a lone task has none."
    )
    production_window_seconds: float = Field(default=0.1, ge=0, le=60)
    validation_window_seconds: float = Field(default=0.25, ge=0, le=60)
    research_window_seconds: float = Field(default=0.25, ge=0, le=60)
    customer_facing_hold_seconds: float = Field(
        default=1.0, ge=0, le=3600, description="How long a task waits for a busy target, then it is sent all the same."
    )
    production_hold_seconds: float = Field(default=5.0, ge=0, le=3600)
    validation_hold_seconds: float = Field(default=10.0, ge=0, le=3600)
    research_hold_seconds: float = Field(default=20.0, ge=0, le=3600)
    fixed_window_seconds: float | None = Field(
        default=None, ge=0, le=60, description="One window for all instead of the adaptive one, to compare with."
    )
    lone_windows: float = Field(
        default=1.5, ge=1, le=100, description="Windows that a task waits which is alone when the first one is over."
    )
    deadline_reserve_seconds: float = Field(
        default=1.0, ge=0, le=3600, description="How long before a task's deadline its batch leaves at the latest."
    )
    max_members: int = Field(
        default=200, ge=1, le=240, description="Tasks in a batch; the answer adds some 600 bytes for each."
    )
    max_rows: int = Field(default=4_096, ge=1, le=100_000, description="Parameter sets in a batch.")
    max_shots: int = Field(default=10_000_000, ge=1, description="Shots in a batch, over all of its parameter sets.")
    max_bytes: int = Field(
        default=96 * 1024, ge=1024, le=128 * 1024, description="JSON of the members; it comes back with the results."
    )
    max_memory_mib: int = Field(default=4_096, ge=1, description="States of all parameter sets of a batch at once.")
    batch_seconds: float = Field(default=0.2, gt=0, le=3600, description="What a batch may take at its target.")
    target_rows: dict[str, int] = Field(
        default={"braket:local*": 4_096, "braket:*": 100},
        description="Parameter sets in a batch by target (* and ? allowed, the first that matches), where a provider "
        "takes fewer: 100 executables make a program set.",
    )
    target_places: dict[str, int] = Field(
        default={"*": 8}, description="Batches of a target that may be under way at once, by target alike."
    )
    class_weights: dict[str, float] = Field(
        default={"customer-facing": 8.0, "production": 4.0, "validation": 2.0, "research": 1.0},
        description="Shares of a busy target.",
    )
    tenant_weights: dict[str, float] = Field(default={}, description="Shares within a class; 1 where not named.")
    mix_classes: bool = Field(default=False, description="Let tasks of different classes share batches.")
    workers: int = Field(default=4_096, ge=1, le=10_000, description="Tasks that may wait at the same time.")

    @property
    def policy(self) -> Policy:
        """The rules of the queues."""
        limits = Load(
            self.max_members,
            self.max_rows,
            self.max_shots,
            self.max_bytes,
            float("inf"),
            self.max_memory_mib * _MIB,
        )
        return Policy(
            limits={
                **{target: replace(limits, rows=min(rows, self.max_rows)) for target, rows in self.target_rows.items()},
                "*": limits,
            },
            places={**self.target_places, "*": self.target_places.get("*", 8)},
            bounds={
                "customer-facing": Bounds(self.customer_facing_window_seconds, self.customer_facing_hold_seconds),
                "production": Bounds(self.production_window_seconds, self.production_hold_seconds),
                "validation": Bounds(self.validation_window_seconds, self.validation_hold_seconds),
                "research": Bounds(self.research_window_seconds, self.research_hold_seconds),
            },
            class_weights=self.class_weights,
            tenant_weights=self.tenant_weights,
            fixed_window=self.fixed_window_seconds,
            lone_windows=self.lone_windows,
            batch_seconds=self.batch_seconds,
        )
