"""How a loop came to its circuit, for people: candidates that its pre-screen chose between, layers that it climbed."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from quire.console import counted
from quire_contracts.result import MinimizeResult, OptimizeResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from quire_contracts.result import JobResult, Round, Screened


def show_screened(console: Console, result: JobResult | None) -> None:
    """Print the circuits that a loop chose between, where it did."""
    if isinstance(result, OptimizeResult | MinimizeResult) and result.screened:
        console.print(screened_table(result.screened))


def screened_table(screened: Sequence[Screened]) -> Table:
    """One row for each candidate, the chosen one marked, and below why that was chosen.

    What noise leaves of each is told where somebody knows their fidelity.
    """
    noisy = any(each.fidelity is not None for each in screened)
    chosen = next((f"{escape(each.name)}: {escape(each.reason)}" for each in screened if each.chosen), "none yet")
    table = Table("circuit", title="pre-screened", caption=chosen)
    for name in ("angles", "2q gates", "depth", "best objective", *(("fidelity", "expected") if noisy else ())):
        table.add_column(name, justify="right")
    for each in screened:
        error = f" ± {each.std_error:.2g}" if each.std_error else ""
        cells = [str(each.parameters), str(each.two_qubit_gates), str(each.depth), f"{each.objective:.6g}{error}"]
        if noisy:
            cells += ["-" if each.fidelity is None else f"{each.fidelity:.3f}", f"{each.expected:.6g}"]
        table.add_row(f"[green]{escape(each.name)}[/green]" if each.chosen else escape(each.name), *cells)
    return table


def rounds_words(history: Sequence[Round]) -> str:
    """How many rounds there were, and of which layers where the loop climbed."""
    whole = counted(len(history), "round")
    steps = [(layers, len(list(rounds))) for layers, rounds in groupby(each.layers for each in history)]
    if len(steps) == 1 and steps[0][0] is None:
        return whole
    said = ", ".join(f"{count} of {layers}" for layers, count in steps if layers is not None)
    return f"{whole}: {said} layers" if said else whole
