"""What the api can be told."""

from __future__ import annotations

from pathlib import Path

from quire_service import Field, ServiceSettings


class Settings(ServiceSettings):
    """Read from `QUIRE_API_<FIELD>`."""

    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="The port to listen on; 0 lets the system choose.")
    body_seconds: float = Field(default=10.0, gt=0, le=300, description="How long a request's body may take to arrive.")
    answer_seconds: float = Field(default=5.0, gt=0, le=60, description="How long the broker may take to answer.")
    wait_seconds: float = Field(default=60.0, ge=0, le=600, description="The longest that ?wait= may wait.")
    keep_alive_seconds: float = Field(default=15.0, gt=0, le=300, description="Between the comments of an idle stream.")
    streams: int = Field(default=256, ge=1, le=100_000, description="Event streams and waits open at the same time.")
    embed_bytes: int = Field(
        default=4 * 1024 * 1024, ge=0, description="A stored result up to this size is shown inside its job."
    )
    ledger_seconds: float = Field(default=2.0, gt=0, le=60, description="How long the ledger may take to answer.")
    rules_file: Path | None = Field(
        default=None,
        description="Rules (TOML) whose refusals say when the house is too far behind for a new job; usually the "
        "control plane's file. Without it, the rules that ship with quire-policy.",
    )
    writes_per_second: float = Field(default=500.0, gt=0, description="Submissions and cancellations of one client.")
    writes_burst: int = Field(default=1000, ge=1, description="How many of them may come at once.")
