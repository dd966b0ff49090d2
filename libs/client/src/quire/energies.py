"""A minimisation's answer as a table: the energy beside the classical reference, and how near they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from quire.console import counted

if TYPE_CHECKING:
    from quire_contracts.result import Accuracy, MinimizeResult

_MOST_PARAMETERS: Final = 12


def energy_table(result: MinimizeResult, baseline_seconds: float) -> Table:
    """The least energy that was found, and what it is held against."""
    ours = "quantum loop" if result.source == "quantum" else "answer (classical)"
    table = Table("", ours, "classical reference", title="energy")
    baseline, unit = result.baseline, escape(result.unit)
    kind = "-" if baseline is None else "exact" if baseline.exact else "an upper bound"
    theirs = "-" if baseline is None else f"{baseline.value:.6f} ({kind})"
    table.add_row(f"energy ({unit})" if unit else "energy", _with_error(result.energy, result.std_error), theirs)
    accuracy = result.accuracy
    if accuracy.error is not None:
        table.add_row("above the reference", f"{accuracy.error:.2e}", "")
    if result.unit == "hartree" and baseline is not None and baseline.exact:
        table.add_row("within chemical accuracy (1.6e-3)", _chemical(accuracy), "")
    if accuracy.anomaly:
        table.add_row("anomaly", f"[red]{escape(accuracy.anomaly)}[/red]", "")
    if result.parameters:
        table.add_row("parameters", _parameters(result.parameters), "")
    method = "-" if baseline is None else f"{escape(baseline.method)}, {baseline_seconds:.3f} s"
    rounds = counted(len(result.history), "round")
    table.add_row("how", f"{rounds} ({escape(result.stopped)})" if result.stopped else rounds, method)
    return table


def _with_error(value: float, error: float) -> str:
    return f"{value:.6f} ± {error:.6f}" if error else f"{value:.6f}"


def _chemical(accuracy: Accuracy) -> str:
    if accuracy.chemical is None:
        return "open: the standard error is too large"
    return "[green]yes[/green]" if accuracy.chemical else "[yellow]no[/yellow]"


def _parameters(values: tuple[float, ...]) -> str:
    shown = ", ".join(f"{value:.4f}" for value in values[:_MOST_PARAMETERS])
    return shown if len(values) <= _MOST_PARAMETERS else f"{shown}, … {len(values) - _MOST_PARAMETERS} more"
