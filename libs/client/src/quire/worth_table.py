"""What targets were expected to make of a job's work before it was sent, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.appraisal import Appraisal

_RIGHT = ("sets", "qubits", "pairs", "depth", "fidelity", "queued", "USD at most", "expected gain", "worth")


def worth_table(appraisals: Sequence[Appraisal]) -> Table:
    """One row for each device, or target that may cost money, that the job's work might have gone to.

    The price is that of a task with so many parameter sets. The pairs are two-qubit gates: after compilation, or `>=`
    so many before it, where the provider compiles. What no gateway said now has the time when it was said before.
    """
    table = Table(title="expected before it was sent", title_justify="left")
    table.add_column("target")
    for name in _RIGHT:
        table.add_column(name, justify="right")
    for each in appraisals:
        least = "" if each.compiled else ">= "
        gain = f"{each.expected_gain:.2%}" if each.expected_gain is not None else _at_most(each.possible_gain)
        table.add_row(
            each.target if each.said_at is None else f"{each.target} (said {each.said_at:%H:%M:%S})",
            str(each.parameter_sets),
            str(each.qubits),
            _known(each.two_qubit_gates, f"{least}{{}}"),
            _known(each.depth, f"{least}{{}}"),
            _known(each.fidelity, "{:.3f}"),
            _known(each.queued, "{}"),
            f"{each.usd:.2f}" if each.paid else "free",
            gain,
            _known(each.worth, "{:.2%}"),
        )
    return table


def _known(figure: float | None, form: str) -> str:
    return "-" if figure is None else form.format(figure)


def _at_most(gain: float | None) -> str:
    return "-" if gain is None else f"<= {gain:.2%}"
