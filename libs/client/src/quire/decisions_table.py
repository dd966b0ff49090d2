"""What was decided about a job's work: where it went, why, and what was known of it then, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quire_contracts.record import Decision

_MOST: Final = 6


def decisions_table(decisions: Sequence[Decision]) -> Table:
    """One row for each decision, the earliest first; of many the latest."""
    table = Table(title="where work was sent, and why", title_justify="left")
    for name in ("target", "what", "why", "known before"):
        table.add_column(name)
    for each in decisions[-_MOST:]:
        moved = f"{each.origin} -> {each.target}" if each.origin not in (None, each.target) else each.target
        why = "; ".join(dict.fromkeys((*each.reasons, *(() if each.reasons else each.rules))))
        table.add_row(escape(moved), each.action, escape(why), known(each.figures))
    if len(decisions) > _MOST:
        table.caption = f"{len(decisions) - _MOST} earlier ones; --json prints all"
    return table


def known(figures: Mapping[str, float]) -> str:
    """Figures by name: `depth 26, two qubit gates >= 16`."""
    told = []
    for name, figure in figures.items():
        base = name.removesuffix("_at_least")
        least = ">= " if base != name else ""
        told.append(f"{base.replace('_', ' ')} {least}{figure:.4g}")
    return ", ".join(told)
