"""What the ledger can be told."""

from __future__ import annotations

from quire_service import Field, ServiceSettings


class Settings(ServiceSettings):
    """Read from `QUIRE_LEDGER_<FIELD>`."""

    database_url: str = Field(
        default="sqlite:///quire-ledger.sqlite3",
        pattern=r"^(sqlite|postgres|postgresql)(\+[a-z]+)?://\S*$",
        description="sqlite:///path or postgresql://user:password@host/database.",
    )
    batch: int = Field(default=1024, ge=1, le=4096, description="Events in one transaction, at most.")
