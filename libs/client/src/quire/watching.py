"""A job's life on stderr while it is waited for: one moving line on a terminal, one line for each event elsewhere."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, Self

from quire.console import counted, err, print_json, say

if TYPE_CHECKING:
    from rich.progress import Progress

    from quire.answer import JobView
    from quire.client import Job
    from quire.events import Event

_LAST_WORDS_SECONDS = 3.0


class Display(Protocol):
    """What hears of each event."""

    def tell(self, event: Event) -> None:
        """Show one event."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def follow(job: Job, *, timeout: float | None = None, lines: bool = False) -> JobView:
    """Wait for a job's end and show its life meanwhile; the job as it ended, however that was.

    lines: each event is one line of JSON on stdout instead.

    Raises:
        QuireError: as `Job.wait`. What goes wrong with the events alone is not told: the answer does not hang on them.
    """
    display: Display = JsonLines() if lines else Terminal() if sys.stderr.isatty() else Plain()
    with display:
        watcher = threading.Thread(target=_tell_all, args=(job, display), daemon=True)
        watcher.start()
        view = job.wait(timeout)
        watcher.join(_LAST_WORDS_SECONDS)
    return view


def _tell_all(job: Job, display: Display) -> None:
    # The answer does not hang on what is told here, and its end may close the connection under this thread.
    with suppress(Exception):
        for event in job.events():
            display.tell(event)


def words(event: Event) -> str:
    """What an event says, for eyes; empty for what need not be told."""
    data: dict[str, Any] = event.data
    match event.name:
        case "progress":
            parts = (data.get("stage", ""), data.get("detail", ""), data.get("target", ""))
            return " · ".join(part for part in parts if part)
        case "job.accepted":
            return f"accepted {data.get('name') or data.get('kind', '')}"
        case "job.prepared" | "baseline.found" | "baseline.failed":
            return _of_preparation(data)
        case "family.planned" | "child.ended":
            return _of_family(data)
        case "loop.advanced":
            return _advanced(data)
        case "task.failed":
            return f"{data.get('target', '')} failed: {data.get('fault', {}).get('reason', '')}"
        case "job.completed" | "job.failed" | "job.cancelled" | "job.rejected" as end:
            return end.removeprefix("job.")
        case _:
            return ""


def _of_preparation(data: dict[str, Any]) -> str:
    preparation, baseline = data.get("preparation"), data.get("baseline")
    if preparation is not None:
        return f"prepared: {preparation.get('qubits', '?')} qubits"
    if baseline is None:
        return f"no classical answer: {data.get('fault', {}).get('reason', '')}"
    proof = "proven optimal" if baseline.get("exact") else "not proven optimal"
    return f"classical baseline {baseline.get('value', float('nan')):g} ({baseline.get('method')}, {proof})"


def _of_family(data: dict[str, Any]) -> str:
    children = data.get("children")
    if children is not None:
        return f"planned: {len(children)} jobs"
    value, reason = data.get("value"), data.get("reason", "")
    text = f"{data.get('name', '?')} {data.get('state', '?')}"
    return text + (f": {value:g}" if value is not None else "") + (f" ({reason})" if reason else "")


def _advanced(data: dict[str, Any]) -> str:
    of, at = data.get("rounds"), data.get("round", {})
    objective, best = at.get("objective", float("nan")), at.get("best", float("nan"))
    circuit = f"  {counted(at['layers'], 'layer')}" if at.get("layers") else ""
    where = at.get("target", "?")
    return f"round {at.get('round'):>2}/{of}{circuit}  objective {objective:.4f}  best {best:.4f}  on {where}"


class Plain:
    """One line for each event, said once where it is repeated: for files and pipes."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def tell(self, event: Event) -> None:
        """Show one event, if it has words."""
        text = words(event)
        if text and text != self._last:
            say(text)
            self._last = text


class JsonLines(Plain):
    """One line of JSON on stdout for each event."""

    def tell(self, event: Event) -> None:
        """Print one event."""
        print_json({"id": event.id, "event": event.name, "data": event.data})


class Terminal:
    """A spinner with what happens now, and a bar over the rounds of a loop."""

    def __init__(self) -> None:
        """Show nothing yet."""
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
        self._progress: Progress = Progress(*columns, console=err(), transient=True)
        self._line = self._progress.add_task("submitted", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, event: Event) -> None:
        """Show one event in the moving line; what lasts is also written above it."""
        text = words(event)
        if not text:
            return
        if event.name == "loop.advanced":
            rounds, at = event.data.get("rounds"), event.data.get("round", {}).get("round", 0)
            self._progress.update(self._line, description=text, total=rounds, completed=at)
        else:
            self._progress.update(self._line, description=text)
            if event.name != "progress":
                self._progress.console.print(f"[dim]·[/dim] {text}", markup=True)
