"""The best answer so far, from the command line: whether it is final, where it is from, and what came too late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quire import DEFAULT_URL
from quire.console import print_json, say
from quire.errors import InvalidDocumentError
from quire.options import AsJson, JobId, Tenant, Url, client_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from quire_contracts.evidence import EvidenceKept
    from quire_contracts.query import BestAnswer

Wait = Annotated[str, typer.Option("--wait", help="How long to wait for the final answer: 2s, 500ms, 1m, or seconds.")]


def result(
    job_id: JobId,
    *,
    wait: Wait = "0s",
    url: Url = DEFAULT_URL,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Show the best answer so far: the final one as soon as it is there, at the latest after --wait a provisional one.

    Exit code 0 with an answer, 6 while there is none yet, 1 if the job ended without one.
    """
    import msgspec

    from quire_contracts.waits import FORMS, parse_wait

    seconds = parse_wait(wait)
    if seconds is None:
        raise InvalidDocumentError(f"{wait!r} is no time to wait", next_step=f"give {FORMS}")
    with client_of(url, tenant) as client:
        view = client.job(job_id).wait_for_answer(seconds)
    best = view.best_answer
    if as_json:
        print_json(view.report() | {"result": msgspec.to_builtins(best.result), "answer": standing(best)})
    else:
        from quire.tables import show

        show(msgspec.structs.replace(view, result=best.result))
    if best.standing == "none":
        view.answered()
        say(f"quire: {best.reason}")
        raise typer.Exit(6)


def standing(answer: BestAnswer) -> dict[str, object]:
    """How an answer stands, as plain JSON; what it says is told elsewhere."""
    return {
        "standing": answer.standing,
        "source": answer.source,
        "degraded": answer.degraded,
        "reason": answer.reason,
    }


def words(answer: BestAnswer) -> str:
    """How an answer stands that is not final, in one line."""
    return f"{answer.standing}, {answer.source}: {answer.reason}"


def late_table(late: Iterable[EvidenceKept]) -> Table:
    """The answers that came after their job had ended."""
    from rich.table import Table

    table = Table(title="came too late; kept as evidence", title_justify="left")
    for name in ("target", "phase", "seconds late", "value", "against the answer", "shots", "USD"):
        table.add_column(name, justify="left" if name in ("target", "phase", "against the answer") else "right")
    for each in late:
        seconds = (each.arrived_at - each.ended_at).total_seconds()
        value = "-" if each.best is None else f"{each.best.value:g}"
        cells = (each.target, each.phase, f"{seconds:.1f}", value, each.compared or "-")
        table.add_row(*cells, str(each.shots), f"{each.cost_usd:.2f}")
    return table
