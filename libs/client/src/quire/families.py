"""Jobs with children, for people: the tree of them, a sweep's table, and how a problem was taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from quire_contracts.result import EstimateResult, SampleResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quire_contracts.family import Child
    from quire_contracts.partitioned import Partitioned, Stage
    from quire_contracts.result import Point, SweepResult, SweepSummary

_COLOURS: Final = {"completed": "green", "failed": "red", "rejected": "red", "cancelled": "yellow"}
_MOST_COUNTS: Final = 3
_MOST_SHOWN: Final = 40


def family_tree(children: Sequence[Child], most: int = _MOST_SHOWN) -> str:
    """The children, one a line: what each is for, how it stands, its figure and its cost, and its id.

    Of more than `most` those are left out first of which nothing is to be said but that they are done.
    Lines of text and not a tree of rich's, which cuts ids off where there is no terminal.
    """
    over = sum(child.state not in {"planned", "running"} for child in children)
    telling = sorted(range(len(children)), key=lambda place: (_is_plain(children[place]), place))[:most]
    lines = [_line(children[place]) for place in sorted(telling)]
    if len(children) > most:
        lines.append(f"… {len(children) - most} more; --json prints all")
    branches = [f"├── {line}" for line in lines[:-1]] + [f"└── {line}" for line in lines[-1:]]
    return "\n".join((f"{len(children)} children, {over} of them over", *branches))


def _is_plain(child: Child) -> bool:
    """Whether a child is one of many: not the merge, and done with all that it was to do."""
    return child.role != "merge" and child.state in {"completed", "planned"} and not (child.degraded or child.reason)


def _line(child: Child) -> str:
    state = "degraded" if child.degraded and child.state == "completed" else child.state
    colour = "yellow" if state == "degraded" else _COLOURS.get(child.state, "cyan")
    parts = [f"{child.role} {escape(child.label or child.name)}", f"[{colour}]{state}[/{colour}]"]
    if child.variables:
        parts.append(f"{len(child.variables)} variables")
    if child.value is not None:
        parts.append(f"value {child.value:g}" + (" (classical)" if child.source == "classical" else ""))
    if child.shots:
        parts.append(f"{child.shots} shots")
    if child.cost_usd:
        parts.append(f"{child.cost_usd:.2f} USD")
    nothing = child.role == "part" and child.state == "completed" and not child.source and child.value is None
    parts.append("nothing couples them" if nothing else f"[dim]{child.job_id}[/dim]")
    if child.reason:
        parts.append(f"[yellow]{escape(child.reason)}[/yellow]")
    return "  ".join(parts)


def sweep_table(result: SweepResult) -> Table:
    """One row for each variant."""
    table = Table(title="sweep", title_justify="left")
    table.add_column("variant")
    with_x = any(point.x is not None for point in result.points)
    if with_x:
        table.add_column(escape(result.x) or "x", justify="right")
    table.add_column("value", justify="right")
    table.add_column("answer")
    for point in result.points:
        error = f" ± {point.std_error:.6f}" if point.std_error else ""
        value = "-" if point.value is None else f"{point.value:.6f}{error}"
        x = (() if not with_x else ("-",)) if point.x is None else (f"{point.x:g}",)
        table.add_row(escape(point.label), *x, value, _answer(point))
    if result.spread is not None:
        over = result.spread
        width = f"{over.least:g} to {over.greatest:g}, mean {over.mean:.6g}"
        table.caption = f"over {over.runs} seeds: {width}, standard deviation {over.std_dev:.3g}"
    return table


def summary_lines(summary: SweepSummary) -> tuple[str, ...]:
    """A sweep in numbers: how its variants ended, what their verdicts call, and what ran for all of them."""
    degraded = f" ({summary.degraded} of them degraded)" if summary.degraded else ""
    lines = [f"variants: {_counted(summary.states)}{degraded}"]
    if summary.calls:
        lines.append(f"verdicts: {_counted(summary.calls)}")
    review = summary.outcomes.get("person", 0)
    if review:
        lines.append(f"[red]for a person to look at: {review} of them[/red]")
    ran = summary.ran
    if ran is not None and ran.runs + ran.failed:
        where = ", ".join(f"{each.runs + each.earlier} at {escape(each.target)}" for each in ran.at)
        failed = f", {ran.failed} failed ({escape(', '.join(ran.fault_codes))})" if ran.failed else ""
        lines.append(f"ran: {ran.runs} runs in {ran.jobs} jobs, {ran.seconds:.3f} s: {where}{failed}")
    return tuple(lines)


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {escape(name)}" for name, number in sorted(numbers.items(), key=lambda item: -item[1]))


def _answer(point: Point) -> str:
    """How a variant ended, and more of its answer where one figure does not say it."""
    state = "degraded" if point.degraded and point.state == "completed" else point.state
    text = f"[{_COLOURS.get(point.state, 'cyan')}]{state}[/]"
    if point.reason:
        text += f"  {escape(point.reason)}"
    match point.result:
        case SampleResult(counts=counts) if counts:
            common = sorted(counts[0].items(), key=lambda item: -item[1])[:_MOST_COUNTS]
            text += "  " + ", ".join(f"{outcome}: {shots}" for outcome, shots in common)
        case EstimateResult(values=values) if len(values) > 1 or len(values[0]) > 1:
            text += f"  the first of {len(values)} x {len(values[0])} values"
    return text


def partition_table(partition: Partitioned) -> Table:
    """What the answer was worth at each stage of its making, the quantum part apart from the CPU's."""
    widths = ", ".join(str(len(part.variables)) for part in partition.parts)
    table = Table(title=f"solved in {len(partition.parts)} parts of {widths} variables", title_justify="left")
    for column in ("stage", "by", "value"):
        table.add_column(column, justify="right" if column == "value" else "left")
    sources = [part.source for part in partition.parts]
    by = ", ".join(f"{sources.count(each)} {each}" for each in dict.fromkeys(sources))
    polish = partition.polish
    table.add_row("parts side by side", by, _value(partition.joined))
    table.add_row("merged: which parts to turn over", partition.merge_source, _value(partition.merged))
    moves = f"{polish.moves} of at most {polish.budget} flips, {polish.seconds:.3f} s on a CPU"
    table.add_row("polished", moves, _value(partition.polished))
    table.caption = f"{partition.coupled_weight:.0%} of the couplings' weight lies within the parts"
    return table


def _value(stage: Stage) -> str:
    return f"{stage.value:g}" if stage.feasible else f"{stage.value:g} [red](infeasible)[/red]"
