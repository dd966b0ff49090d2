"""`quire switch`: what is stopped, stopping it, and letting it go on."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, cast

import typer

from quire import DEFAULT_URL
from quire.console import print_json
from quire.options import AsJson, Url, client_of

if TYPE_CHECKING:
    from typing import Literal

    from quire_contracts.switch import Scope

switch_app = typer.Typer(
    no_args_is_help=True,
    help="Kill switches: stop a backend, a provider, a tenant or all quantum work within a second; no work is lost.",
)

What = Annotated[str, typer.Argument(metavar="WHAT", help="all, or: provider, backend, tenant, followed by a name.")]
Which = Annotated[str, typer.Argument(metavar="[NAME]", help="As in: backend aws:forte, provider aws, tenant acme.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; who waits for it reads that.")]
By = Annotated[str, typer.Option("--by", help="Who turns it; by default the user of this machine.")]


@switch_app.command(name="ls")
def list_(*, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the switches that were ever turned, those that are off first."""
    import msgspec

    with client_of(url, "default") as client:
        switches = client.switches()
    if as_json:
        print_json(msgspec.to_builtins(switches))
        return
    from quire.tables import show_switches

    show_switches(switches)


@switch_app.command()
def off(
    what: What, name: Which = "", *, reason: Reason, by: By = "", url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Stop new work: it waits, or goes where its fallbacks lead. What is at a provider already is fetched."""
    _turn(what, name, "off", reason=reason, by=by, url=url, as_json=as_json)


@switch_app.command()
def on(
    what: What, name: Which = "", *, reason: Reason, by: By = "", url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Let work go on."""
    _turn(what, name, "on", reason=reason, by=by, url=url, as_json=as_json)


def _turn(what: str, name: str, state: Literal["on", "off"], *, reason: str, by: str, url: str, as_json: bool) -> None:
    import msgspec

    if what not in ("all", "provider", "backend", "tenant"):
        raise typer.BadParameter(f"{what!r} is none of all, provider, backend, tenant", param_hint="WHAT")
    if (what == "all") != (not name):
        raise typer.BadParameter("name one, as in `provider aws`; `all` has no name", param_hint="NAME")
    with client_of(url, "default") as client:
        switch = client.turn(cast("Scope", what), name, state, reason=reason, by=by or getpass.getuser())
    print_json(msgspec.to_builtins(switch)) if as_json else typer.echo(f"{switch.what} is switched {switch.state}")
