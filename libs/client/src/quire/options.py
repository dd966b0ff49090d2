"""Options that several commands take, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quire import DEFAULT_URL

if TYPE_CHECKING:
    from quire.client import Client

Url = Annotated[str, typer.Option("--url", envvar="QUIRE_URL", help="Address of the API.")]
Tenant = Annotated[str, typer.Option("--tenant", envvar="QUIRE_TENANT", help="Whose job it is.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0, help="Seconds to wait; then exit 6. The job goes on.")
]
File = Annotated[str, typer.Argument(metavar="FILE", help="A job document, JSON or YAML; - reads standard input.")]
From = Annotated[
    str,
    typer.Option("--from", metavar="ID[:ROUND]", help="Go on from an earlier job: its best angles, or after a round."),
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where the log and the ledger are kept.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the services' logs.")]


def client_of(url: str, tenant: str) -> Client:
    """A client of the Quire and tenant that the options name."""
    from quire.client import Client

    return Client(url, tenant=tenant)


def options_again(url: str, tenant: str) -> str:
    """The options that a later command needs to find the same job."""
    return (f" --url {url}" if url != DEFAULT_URL else "") + (f" --tenant {tenant}" if tenant != "default" else "")
