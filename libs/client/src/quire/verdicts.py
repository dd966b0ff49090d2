"""A verdict in words and a table: what was called and why, each figure, and how far the answer can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from quire.console import counted

if TYPE_CHECKING:
    from rich.console import Console

    from quire_contracts.verdict import Confidence, Spread, Verdict

UNKNOWN: Final = "not known"
_COLOURS: Final = {"quantum better": "green", "tie": "green", "classical better": "yellow", "inconclusive": "cyan"}
_OUTCOMES: Final = {
    "accept": "the quantum answer counts",
    "blend": "the better of the two counts",
    "reject": "the quantum answer was rejected, the classical one counts",
    "person": "[red]a person is to look at it[/red]",
}


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Print a verdict."""
    console.print(headline(verdict))
    console.print(verdict_table(verdict))
    if verdict.confidence is not None:
        console.print(confidence_table(verdict.confidence))
    for remark in verdict.remarks:
        console.print(f"  {escape(remark)}", style="dim")


def headline(verdict: Verdict) -> str:
    """The verdict in one sentence."""
    colour = _COLOURS[verdict.call]
    sure = f" (certainty {verdict.certainty:.1%})" if verdict.certainty is not None else ""
    return f"verdict: [bold {colour}]{verdict.call}[/bold {colour}]{sure}: {escape(verdict.reason)}"


def verdict_table(verdict: Verdict) -> Table:
    """Every figure of both sides; what is not known says so."""
    table = Table("", "quantum", "classical", title="verdict", title_justify="left")
    table.add_row("best objective", _value(verdict), _number(verdict.classical))
    bound = UNKNOWN if verdict.bound is None else f"{verdict.bound:g}"
    table.add_row("proven bound", bound + (f" ({escape(verdict.bound_method)})" if verdict.bound_method else ""), "")
    table.add_row("gap to the bound", UNKNOWN if verdict.gap is None else f"{verdict.gap:.2%}", _classical_gap(verdict))
    table.add_row("approximation ratio", _number(verdict.approximation_ratio, ".4f"), "")
    success = verdict.success_probability
    table.add_row("success probability of a shot", UNKNOWN if success is None else f"{success:.2%}", "")
    table.add_row("time to solution at 99 %", _time(verdict), "")
    table.add_row("spread over seeds", _spread(verdict.spread), "")
    budget = f" (each method had {verdict.budget_seconds:g} s)" if verdict.budget_seconds else ""
    table.add_row("seconds", f"{verdict.quantum_seconds:.3f}", f"{verdict.classical_seconds:.3f}{budget}")
    table.add_row("cost", f"{verdict.cost_usd:.2f} USD, {verdict.shots} shots", "")
    return table


def confidence_table(confidence: Confidence) -> Table:
    """The parts of a confidence, their product, and what followed."""
    table = Table("confidence", "", "why", title=None)
    for part in confidence.parts:
        table.add_row(part.name, _number(part.value, ".3f"), escape(part.why))
    ended = _OUTCOMES[confidence.outcome]
    whys = f": {escape('; '.join(confidence.why))}" if confidence.why else ""
    table.add_row("[bold]product[/bold]", f"[bold]{_number(confidence.score, '.3f')}[/bold]", ended + whys)
    return table


def _value(verdict: Verdict) -> str:
    if verdict.value is None:
        return "no answer"
    return f"{verdict.value:g}" + ("" if verdict.feasible else " [red](not feasible)[/red]")


def _number(value: float | None, form: str = "g") -> str:
    return UNKNOWN if value is None else format(value, form)


def _classical_gap(verdict: Verdict) -> str:
    if verdict.bound is None or verdict.classical is None:
        return UNKNOWN
    return f"{abs(verdict.classical - verdict.bound) / max(1.0, abs(verdict.bound)):.2%}"


def _time(verdict: Verdict) -> str:
    shots, seconds = verdict.tts99_shots, verdict.tts99_seconds
    if shots is None:
        return UNKNOWN if verdict.success_probability is None else "not reached by any shot"
    return counted(shots, "shot") + ("" if seconds is None else f", {seconds:.3f} s with the loop")


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return f"{UNKNOWN}: one run"
    return f"{spread.least:g} to {spread.greatest:g}, mean {spread.mean:.4g} of {spread.runs} runs"
