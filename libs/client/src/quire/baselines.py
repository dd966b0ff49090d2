"""The classical methods that a baseline tried, as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Column, Table

if TYPE_CHECKING:
    from quire_contracts.result import OptimizeResult


def methods_table(result: OptimizeResult) -> Table | None:
    """One row for each method, with what it found and the seconds it took; None where there was no choice of methods.

    Below it the bound, and how far the baseline is from it.
    """
    baseline = result.baseline
    if baseline is None or len(baseline.tried) <= 1:
        return None
    title = f"classical methods, work for {baseline.budget_seconds:g} s each"
    right = (Column(name, justify="right") for name in ("value", "runs at it", "seconds"))
    table = Table("method", *right, "how", title=title, title_justify="left")
    for tried in baseline.tried:
        value = "-" if tried.value is None else f"{tried.value:g}" + ("" if tried.feasible else " (not feasible)")
        proven = value + " (proven)" if tried.exact and tried.value is not None else value
        runs = "-" if tried.value is None else f"{tried.hits} of {tried.runs}"
        seconds = result.method_seconds.get(tried.method)
        took = "-" if seconds is None else f"{seconds:.3f}"
        table.add_row(tried.method, proven, runs, took, escape(tried.note or tried.tuning))
    if baseline.bound is not None:
        side = "below" if result.sense == "min" else "above"
        if baseline.exact and baseline.feasible:
            gap = ", which the classical answer reaches"
        else:
            gap = "" if baseline.gap is None else f"; the classical answer is within {baseline.gap:.2%} of it"
        table.caption = f"no answer is {side} {baseline.bound:g} (by {baseline.bound_method}){gap}"
    return table
