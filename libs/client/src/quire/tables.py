"""Answers as tables for people, on stdout."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape
from rich.table import Column, Table

from quire.baselines import methods_table
from quire.console import out
from quire.decisions_table import decisions_table
from quire.energies import energy_table
from quire.families import family_tree, partition_table, summary_lines, sweep_table
from quire.gram_table import gram_table
from quire.meaning import words
from quire.screens import rounds_words, show_screened
from quire.standing import late_table
from quire.standing import words as words_of
from quire.verdicts import headline, show_verdict
from quire.worth_table import worth_table
from quire_contracts.result import (
    EstimateResult,
    KernelResult,
    MinimizeResult,
    OptimizeResult,
    SampleResult,
    SweepResult,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from quire.answer import JobView
    from quire_contracts.preparation import Baseline
    from quire_contracts.query import JobSummary
    from quire_contracts.result import Best
    from quire_contracts.switch import Switch
    from quire_contracts.value import Execution, Timing

_MOST_ROWS: Final = 12
_MOST_SETS: Final = 32


def show(view: JobView) -> None:
    """Print a job: its state, its answer if it has one, and where it ran."""
    console = out()
    _show_state(console, view)
    _show_result(console, view)
    _show_beside(console, view)
    if view.executions:
        console.print(executions_table(view.executions))
    if view.timings:
        console.print(timings_table(view.timings))
    console.print(f"cost {view.cost.usd:.2f} USD, {view.cost.shots} shots   trace {view.trace_id or '-'}", style="dim")


def _show_state(console: Console, view: JobView) -> None:
    """What the job is, and how it stands."""
    console.print(f"[bold]{view.name or view.kind or 'job'}[/bold]  {view.job_id}  {_state(view)}")
    if view.degraded:
        console.print(f"[yellow]degraded:[/yellow] {view.reason}")
    elif view.reason:
        console.print(view.reason)
    if view.answer is not None and view.answer.standing == "provisional":
        console.print(f"[cyan]{escape(words_of(view.answer))}[/cyan]")
    if view.needs_review:
        console.print(f"[red]for a person to look at:[/red] {escape(view.needs_review)}")
    if view.continues is not None:
        after = "its best parameters" if view.continues.round is None else f"its round {view.continues.round}"
        console.print(f"goes on from {after} of job {view.continues.job}")


def _show_result(console: Console, view: JobView) -> None:
    """The answer, or the last round of a loop that has none yet."""
    match view.result:
        case SampleResult():
            console.print(counts_table(view.counts))
        case EstimateResult(values=values, std_errors=errors):
            console.print(estimate_table(values, errors))
        case SweepResult() as result:
            console.print(sweep_table(result))
            for line in () if result.summary is None else summary_lines(result.summary):
                console.print(line)
        case KernelResult() as result:
            console.print(gram_table(result))
        case MinimizeResult() as result:
            console.print(energy_table(result, view.baseline_seconds))
            if result.verdict is not None:
                console.print(headline(result.verdict))
        case OptimizeResult() as result:
            _show_optimum(console, view, result)
        case None if view.rounds:
            last = view.rounds[-1]
            console.print(
                f"round {last.round} of {view.rounds_planned}: objective {last.objective:.4f} on {last.target}"
            )


def _show_optimum(console: Console, view: JobView, result: OptimizeResult) -> None:
    """An assignment, how it was put together, and what it is held against."""
    console.print(optimum_table(view, result))
    if result.partition is not None:
        console.print(partition_table(result.partition))
    methods = methods_table(result)
    if methods is not None:
        console.print(methods)
    if result.verdict is not None:
        show_verdict(console, result.verdict)


def _show_beside(console: Console, view: JobView) -> None:
    """What stands beside the answer: what was chosen between, the family, what came too late, what was expected."""
    show_screened(console, view.result)
    if view.parent is not None:
        console.print(f"{escape(view.parent.name)} of job {view.parent.job_id}")
    if view.children:
        tabled = isinstance(view.result, SweepResult)  # each of them has a row there
        console.print(family_tree(view.children, *((_MOST_ROWS,) if tabled else ())))
    if view.late:
        console.print(late_table(view.late))
    if view.appraisals:
        console.print(worth_table(view.appraisals))
    if view.decisions:
        console.print(decisions_table(view.decisions))


def counts_table(counts: Sequence[dict[str, int]]) -> Table:
    """The most frequent outcomes of each parameter set."""
    table = _table("counts", ("set", "right"), ("outcome", "left"), ("shots", "right"), ("share", "right"))
    for number, row in enumerate(counts[:_MOST_SETS]):
        total = sum(row.values()) or 1
        common = Counter(row).most_common(_MOST_ROWS)
        for outcome, shots in common:
            table.add_row(str(number), outcome, str(shots), f"{shots / total:.1%}")
        if len(row) > len(common):
            table.add_row(str(number), f"… {len(row) - len(common)} more", "", "")
    _more(table, len(counts))
    return table


def estimate_table(values: Sequence[Sequence[float]], errors: Sequence[Sequence[float]]) -> Table:
    """One row for each parameter set, one column for each observable."""
    wide = max((len(row) for row in values), default=0)
    table = _table("expectation values", ("set", "right"), *((f"observable {k}", "right") for k in range(min(wide, 8))))
    for number, (row, error) in enumerate(zip(values[:_MOST_SETS], errors, strict=False)):
        cells = (f"{value:.6f}" + (f" ± {e:.6f}" if e else "") for value, e in zip(row[:8], error, strict=False))
        table.add_row(str(number), *cells)
    _more(table, len(values))
    return table


def optimum_table(view: JobView, result: OptimizeResult) -> Table:
    """The best answer beside the classical one."""
    table = Table(
        "", "quantum loop" if result.source == "quantum" else "answer (classical)", "classical baseline", title="best"
    )
    baseline, quality, best = result.baseline, result.quality, result.best
    proven = "-" if baseline is None else "proven optimum" if baseline.exact else "no proof"
    what = f"value ({result.sense} {result.unit or 'objective'})" if result.sense else "value"
    table.add_row(what, f"{best.value:g}", "-" if baseline is None else f"{baseline.value:g} ({proven})")
    if not best.feasible or (baseline is not None and not baseline.feasible):
        table.add_row("feasible", _feasible(best), "-" if baseline is None else _feasible(baseline))
    if best.answer is not None or (baseline is not None and baseline.answer is not None):
        answers = (best.answer, None if baseline is None else baseline.answer)
        table.add_row("answer", *(escape(words(each, view.tags)) if each else "-" for each in answers))
    if len(best.assignment) <= 64:  # noqa: PLR2004 - what fits a line
        theirs = "-" if baseline is None else "".join(map(str, baseline.assignment))
        table.add_row("assignment (variable 0 first)", "".join(map(str, best.assignment)), theirs)
    if quality.approximation_ratio is not None:
        table.add_row("approximation ratio", f"{quality.approximation_ratio:.4f}", "")
    if quality.success_probability is not None:
        table.add_row("share of final shots at the best", f"{quality.success_probability:.2%}", "")
    if quality.feasible_share is not None:
        table.add_row("share of final shots that are feasible", f"{quality.feasible_share:.2%}", "")
    method = "-" if baseline is None else f"{baseline.method}, {view.baseline_seconds:.3f} s"
    parts = result.partition
    rounds = rounds_words(result.history) if parts is None else f"in {len(parts.parts)} parts, polished on a CPU"
    table.add_row("how", f"{rounds} ({escape(result.stopped)})" if result.stopped else rounds, method)
    return table


def _feasible(said: Best | Baseline) -> str:
    return "yes" if said.feasible else f"[red]no:[/red] {escape('; '.join(said.violations))}"


def executions_table(executions: Iterable[Execution]) -> Table:
    """Executions summed by target."""
    groups: dict[tuple[str, str], list[Execution]] = defaultdict(list)
    for execution in executions:
        groups[execution.target, execution.backend].append(execution)
    columns = (("backend", "left"), ("runs", "right"), ("sets", "right"), ("shots", "right"))
    table = _table("where it ran", ("target", "left"), *columns, ("compile s", "right"), ("execute s", "right"))
    for (target, backend), runs in groups.items():
        shots = sum((run.shots or 0) * run.parameter_sets for run in runs)
        compiled, executed = sum(run.compile_seconds for run in runs), sum(run.execute_seconds for run in runs)
        sets = sum(run.parameter_sets for run in runs)
        cells = (
            backend,
            str(len(runs)),
            str(sets),
            str(shots) if shots else "exact",
            f"{compiled:.3f}",
            f"{executed:.3f}",
        )
        table.add_row(target, *cells)
    return table


def timings_table(timings: Iterable[Timing]) -> Table:
    """Time summed by stage and resource."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for timing in timings:
        sums[timing.stage, timing.resource] += timing.seconds
    table = _table("where the time went", ("stage", "left"), ("resource", "left"), ("seconds", "right"))
    for (stage, resource), seconds in sums.items():
        table.add_row(stage, resource, f"{seconds:.3f}")
    return table


def show_jobs(jobs: Iterable[JobSummary]) -> None:
    """Print a list of jobs."""
    table = Table(
        Column("id", min_width=36, no_wrap=True), "kind", "name", "state", "verdict", "accepted"
    )  # no id is cut
    for job in jobs:
        state = f"{job.state} (degraded)" if job.degraded else job.state
        state += "\n[red]for a person to look at[/red]" if job.needs_review else ""
        accepted = f"{job.accepted_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(job.job_id, job.kind or "-", job.name, state, job.verdict or "-", accepted)
    out().print(table)


def show_dead(letters: Sequence[dict[str, Any]]) -> None:
    """Print a list of dead letters."""
    if not letters:
        out().print("no dead letters")
        return
    names = ("sequence", "service", "type", "key", "attempts", "kind", "reason")
    right = {"sequence", "attempts"}
    table = _table("", *((name, "right" if name in right else "left") for name in names))
    for letter in letters:
        table.add_row(*(str(letter.get(name, "")) for name in names))
    out().print(table)


def show_letter(letter: dict[str, Any]) -> None:
    """Print a dead letter whole: what is known of it, then its headers and its body as they were."""
    console = out()
    for name, value in letter.items():
        if name not in ("headers", "body", "body_base64"):
            console.print(f"{name.replace('_', ' '):16} {value}", markup=False)
    for name, value in sorted(letter.get("headers", {}).items()):
        console.print(f"  {name}: {value}", markup=False, style="dim")
    body = letter.get("body")
    console.print(f"(base64) {letter.get('body_base64')}" if body is None else body, markup=False)


def show_switches(switches: Sequence[Switch]) -> None:
    """Print the kill switches that were ever turned."""
    if not switches:
        out().print("every switch is on")
        return
    table = _table("", *((name, "left") for name in ("switch", "state", "since", "by", "reason")))
    for switch in switches:
        state = "[red]off[/red]" if switch.state == "off" else "[green]on[/green]"
        what = f"{switch.scope} {switch.name}".strip()
        table.add_row(what, state, f"{switch.at:%Y-%m-%d %H:%M:%S}", escape(switch.by), escape(switch.reason))
    out().print(table)


def show_parked(submissions: Sequence[dict[str, Any]]) -> None:
    """Print a list of submissions that wait for an operator."""
    if not submissions:
        out().print("no parked submissions")
        return
    table = _table("", ("batch", "left"), ("target", "left"), ("since", "left"), ("USD", "right"), ("token", "left"))
    for each in submissions:
        table.add_row(*(str(each.get(name, "")) for name in ("batch_id", "target", "since", "reserved_usd", "token")))
    out().print(table)


def _state(view: JobView) -> str:
    colour = {"completed": "green", "failed": "red", "rejected": "red", "cancelled": "yellow"}.get(view.state, "cyan")
    return f"[{colour}]{view.state}[/{colour}]"


def _table(title: str, *columns: tuple[str, str]) -> Table:
    table = Table(title=title or None, title_justify="left")
    for name, justify in columns:
        table.add_column(name, justify="right" if justify == "right" else "left")
    return table


def _more(table: Table, rows: int) -> None:
    if rows > _MOST_SETS:
        table.caption = f"{rows - _MOST_SETS} more parameter sets; --json prints all"
