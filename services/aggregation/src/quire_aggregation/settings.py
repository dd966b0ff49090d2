"""Settings of aggregation."""

from __future__ import annotations

from quire_service import Field, ServiceSettings


class Settings(ServiceSettings):
    """How much is scored at the same time."""

    workers: int = Field(default=4, ge=1, le=64, description="Batches that are read and scored at the same time.")
