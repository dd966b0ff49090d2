"""`quire parked`: paid work of which nobody can say whether its provider has it."""

from __future__ import annotations

from typing import Annotated

import typer

from quire import DEFAULT_URL
from quire.console import print_json, say
from quire.options import AsJson, Url, client_of

parked_app = typer.Typer(
    help="Paid work of which nobody can say whether its provider has it: list it, adopt its jobs, abandon it."
)

Batch = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]
By = Annotated[str, typer.Option("--by", help="Who says so; it is kept in the journal.")]


@parked_app.callback(invoke_without_command=True)
def parked(ctx: typer.Context, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the submissions that wait for an operator."""
    ctx.obj = url
    if ctx.invoked_subcommand is not None:
        return
    with client_of(url, "default") as client:
        found = client.parked()
    if as_json:
        print_json(found)
        return
    from quire.tables import show_parked

    show_parked(found)


@parked_app.command()
def adopt(
    ctx: typer.Context,
    batch: Batch,
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's own id at its provider.")],
    by: By = "",
) -> None:
    """Go on with a job that you found at the provider."""
    with client_of(ctx.obj, "default") as client:
        client.adopt(batch, job, by=by)
    say(f"batch {batch} goes on with {job}")


@parked_app.command()
def abandon(ctx: typer.Context, batch: Batch, by: By = "") -> None:
    """Say that nothing will come of a submission."""
    with client_of(ctx.obj, "default") as client:
        client.abandon(batch, by=by)
    say(f"batch {batch} is abandoned; should its job turn up, it is cancelled")
