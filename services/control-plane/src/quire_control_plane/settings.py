"""What the control plane can be told from outside."""

from __future__ import annotations

from pathlib import Path

from quire_service import Field, ServiceSettings


class Settings(ServiceSettings):
    """Settings of `QUIRE_CONTROL_PLANE_*`."""

    rules_file: Path | None = Field(
        default=None, description="Routing rules (TOML); without it, the rules that ship with quire-policy."
    )
    workers: int = Field(default=16, ge=1, le=256, description="Messages of one kind that are decided at a time.")
    ahead: int = Field(
        default=1_024, ge=0, le=4_096, description="Of them, those that wait here for that, so that tenants take turns."
    )
    appraisal_seconds: float = Field(
        # A gateway that has to open a device first takes 1.3 s of a core for a stand-in, and 2 s more to import
        # Braket's SDK; without its answer start points would run where they cost money.
        default=5.0,
        gt=0,
        le=30,
        description="How long a decision waits for what gateways say of its work, all at once; one that gives "
        "no answer in that time is waited for once, and not again until it was heard.",
    )
