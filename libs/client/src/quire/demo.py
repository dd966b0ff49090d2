"""The demonstration: the Florentine families' marriage network, cut in two by every service of Quire."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.table import Table

from quire import JAEGER
from quire.client import Client
from quire.console import INTERRUPTED, out, print_json, program, say
from quire.embedded import Embedded
from quire.errors import ServerError
from quire.tables import executions_table, timings_table
from quire.verdicts import show_verdict
from quire.watching import follow
from quire_contracts.result import OptimizeResult

if TYPE_CHECKING:
    from quire.answer import JobView

DOCUMENT: Final = "florentine-maxcut.json"
TIMEOUT_SECONDS: Final = 600.0


def demo_document(seed: int | None = None) -> dict[str, Any]:
    """The committed job document, perhaps with another seed."""
    document: dict[str, Any] = msgspec.json.decode(files("quire").joinpath(DOCUMENT).read_bytes())
    return document if seed is None else {**document, "seed": seed}


def run_demo(*, url: str | None, seed: int | None, verbose: bool, as_json: bool) -> int:
    """Run the job, at `url` or in a Quire of its own, and show everything about it; the exit code.

    Raises:
        QuireError: as `Client.submit` and `Job.result`.
    """
    document = demo_document(seed)
    problem = document["problem"]
    say(f"MaxCut: {problem['n']} Florentine families, {len(problem['edges'])} marriages, seed {document['seed']}.")
    begun = time.monotonic()
    traces = Path(tempfile.mkdtemp(prefix="quire-trace-")) / "traces.json"
    with ExitStack() as stack:
        if url is None:
            say("Starting a Quire of its own: a broker and eight services ...")
            url = stack.enter_context(Embedded(verbose=verbose, traces=traces)).http
            say(f"Ready after {time.monotonic() - begun:.1f} s.")
        client = stack.enter_context(Client(url))
        job = client.submit(document)
        try:
            view = follow(job, timeout=TIMEOUT_SECONDS).answered()
        except KeyboardInterrupt:
            say(f"\nLet go of job {job.id}.")
            return INTERRUPTED
    seconds = time.monotonic() - begun
    if as_json:
        print_json(view.report())
    else:
        show_demo(view, document, seconds)
        out().print(trace_words(view.trace_id, traces), style="dim")
    return 0


def show_demo(view: JobView, document: dict[str, Any], seconds: float) -> None:
    """Print the answer, how it was found and how it compares.

    Raises:
        ServerError: if the job has no answer of an optimisation.
    """
    result = view.result
    if not isinstance(result, OptimizeResult):
        raise ServerError(f"job {view.job_id} has no answer to a MaxCut problem")
    console = out()
    console.print(answer_table(view, result, document))
    console.print(sides_table(result.best.assignment, document["tags"]))
    console.print(executions_table(view.executions))
    console.print(timings_table(view.timings))
    console.print(verdict(result))
    if result.verdict is not None:
        show_verdict(console, result.verdict)
    console.print(f"All in {seconds:.1f} s, start included. Job {view.job_id}.")


def answer_table(view: JobView, result: OptimizeResult, document: dict[str, Any]) -> Table:
    """The quantum loop's answer beside the classical one and the proof."""
    best, baseline, quality = result.best, result.baseline, result.quality
    table = Table(title="MaxCut on the Florentine families", title_justify="left", show_header=False)
    ties = len(document["problem"]["edges"])
    table.add_row("best cut (quantum loop)", f"[bold]{best.value:g}[/bold] of {ties} ties")
    if baseline is not None:
        proof = f"{baseline.value:g}" if baseline.exact else "not known"
        table.add_row("exact optimum", proof)
        table.add_row("classical baseline", f"{baseline.value:g} by {baseline.method} in {view.baseline_seconds:.3f} s")
    if quality.approximation_ratio is not None:
        table.add_row("approximation ratio", f"{quality.approximation_ratio:.4f}")
    if quality.mean_objective is not None:
        table.add_row("mean cut of the last sampling", f"{quality.mean_objective:.3f}")
    if quality.success_probability is not None:
        table.add_row("share of its shots at the best cut", f"{quality.success_probability:.2%}")
    if result.history:
        first, last = result.history[0], result.history[-1]
        rounds = f"{len(result.history)} rounds on {last.target}: {first.objective:.3f} to {last.best:.3f}"
        table.add_row("the loop's objective", rounds)
    return table


def sides_table(assignment: tuple[int, ...], tags: dict[str, str]) -> Table:
    """Who stands on which side of the cut."""
    names = [tags.get(f"node.{index}", str(index)) for index in range(len(assignment))]
    sides = [sorted(name for name, bit in zip(names, assignment, strict=True) if bit == side) for side in (0, 1)]
    table = Table(title="who is on which side", title_justify="left")
    for side in sides:
        table.add_column(f"{len(side)} families")
    table.add_row(*(", ".join(side) for side in sides))
    return table


def verdict(result: OptimizeResult) -> str:
    """One plain sentence: was the optimum found?"""
    best, baseline = result.best.value, result.baseline
    if result.source != "quantum":
        return f"[yellow]The answer {best:g} is the classical baseline's, not the quantum loop's.[/yellow]"
    match result.quality.optimal:
        case True:
            return f"[green]The optimum was found: a cut of {best:g}, proven by the classical baseline.[/green]"
        case False:
            least = f"{baseline.value:g}" if baseline else "a better one"
            return f"[red]The optimum was NOT found: {best:g}, where {least} is possible.[/red]"
        case None:
            return f"[yellow]Whether {best:g} is the optimum is not known: nothing proves it.[/yellow]"


def trace_words(trace_id: str, traces: Path) -> str:
    """How to see the trace: from its file, or in the Jaeger to which the spans went."""
    if traces.exists():
        return f"See its trace:  {program()} trace {traces}"
    return f"See its trace:  {program()} trace {trace_id}   or open {JAEGER}/trace/{trace_id}"
