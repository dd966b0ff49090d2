"""`quire dead`: messages that nobody could handle."""

from __future__ import annotations

from typing import Annotated

import typer

from quire import DEFAULT_URL
from quire.console import print_json, say
from quire.options import AsJson, Url, client_of

dead_app = typer.Typer(help="Messages that nobody could handle: list and show them, put them back, drop them.")


@dead_app.callback(invoke_without_command=True)
def dead(
    ctx: typer.Context,
    *,
    url: Url = DEFAULT_URL,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the messages that nobody could handle."""
    ctx.obj = url
    if ctx.invoked_subcommand is not None:
        return
    _list(url, "", limit, as_json=as_json)


@dead_app.command(name="ls")
def list_(
    ctx: typer.Context,
    *,
    service: Annotated[str, typer.Option(help="Only what this service could not handle.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the messages that nobody could handle, the newest first."""
    _list(ctx.obj, service, limit, as_json=as_json)


@dead_app.command()
def show(
    ctx: typer.Context,
    sequence: Annotated[int, typer.Argument(help="The letter's number.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show a message that nobody could handle: why, where it came from, and all of it."""
    with client_of(ctx.obj, "default") as client:
        letter = client.dead_letter(sequence)
    if as_json:
        print_json(letter)
        return
    from quire.tables import show_letter

    show_letter(letter)


@dead_app.command()
def replay(ctx: typer.Context, sequence: Annotated[int, typer.Argument(help="The letter's number.")]) -> None:
    """Put a message back where it came from."""
    with client_of(ctx.obj, "default") as client:
        client.replay(sequence)
    say(f"dead letter {sequence} is on its way again")


@dead_app.command()
def drop(ctx: typer.Context, sequence: Annotated[int, typer.Argument(help="The letter's number.")]) -> None:
    """Delete a dead letter for good."""
    with client_of(ctx.obj, "default") as client:
        client.drop(sequence)
    say(f"dead letter {sequence} is gone")


def _list(url: str, service: str, limit: int, *, as_json: bool) -> None:
    with client_of(url, "default") as client:
        letters = client.dead_letters(service=service, limit=limit)
    if as_json:
        print_json(letters)
        return
    from quire.tables import show_dead

    show_dead(letters)
