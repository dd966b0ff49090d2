"""A trace as a tree on the terminal, from a file or from a Jaeger."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.table import Table
from rich.text import Text

from quire.console import out
from quire.errors import InvalidDocumentError, NotFoundError
from quire.transport import Transport, decoded
from quire_contracts.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

_BAR: Final = 24
_DEEPEST: Final = 24
"""Deeper spans are not moved further to the right: each round of a loop nests in the one before."""

_TRACE_ID: Final = re.compile(r"^[0-9a-f]{32}$")


class Reference(Value, frozen=True, rename="camel"):
    """How a span hangs on another."""

    ref_type: str
    trace_id: str = msgspec.field(name="traceID")
    span_id: str = msgspec.field(name="spanID")


class Span(Value, frozen=True, rename="camel"):
    """A span as Jaeger writes it; times in microseconds."""

    span_id: str = msgspec.field(name="spanID")
    operation_name: str
    start_time: int
    duration: int
    process_id: str = msgspec.field(name="processID")
    references: tuple[Reference, ...] = ()
    tags: tuple[dict[str, Any], ...] = ()

    @property
    def parent(self) -> str:
        """The id of the span above, empty for a root."""
        return next((each.span_id for each in self.references if each.ref_type == "CHILD_OF"), "")

    @property
    def failed(self) -> bool:
        """Whether it ended in an error."""
        return any(tag.get("key") == "error" and tag.get("value") is True for tag in self.tags)


class Trace(Value, frozen=True, rename="camel"):
    """A trace as Jaeger writes it."""

    trace_id: str = msgspec.field(name="traceID")
    spans: tuple[Span, ...]
    processes: dict[str, dict[str, Any]]

    def service(self, span: Span) -> str:
        """The service that the span is of."""
        return str(self.processes.get(span.process_id, {}).get("serviceName", "?"))


class Traces(Value, frozen=True):
    """An answer of Jaeger's query service, or a file of the same shape."""

    data: tuple[Trace, ...] = ()


def is_trace_id(text: str) -> bool:
    """Whether it is written as a trace's id."""
    return bool(_TRACE_ID.match(text))


def read_file(path: str) -> tuple[Trace, ...]:
    """The traces in a file, the largest first.

    Raises:
        InvalidDocumentError: if it is no such file.
    """
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Traces).data
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidDocumentError(f"{path} is no file of traces: {error}") from error


def ask_jaeger(url: str, trace_id: str) -> tuple[Trace, ...]:
    """One trace from a Jaeger.

    Raises:
        NotFoundError: if it has no such trace.
        CannotConnectError: if nothing answers there.
    """
    found: Traces = decoded(Transport(url).call("GET", f"/api/traces/{trace_id}"), Traces)
    if not found.data:
        raise NotFoundError(f"{url} has no trace {trace_id}")
    return found.data


def show_trace(trace: Trace) -> None:
    """Print a trace as a tree over its time line."""
    start = min(span.start_time for span in trace.spans)
    length = max(span.start_time + span.duration for span in trace.spans) - start or 1
    services = {trace.service(span) for span in trace.spans}
    title = f"trace {trace.trace_id}: {len(trace.spans)} spans of {len(services)} services, {length / 1e6:.3f} s"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name, justify in (("at ms", "right"), ("ms", "right"), ("service", "left"), ("", "left"), ("span", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    for depth, span in walk(trace):
        label = Text(" " * min(depth, _DEEPEST) + span.operation_name, style="red" if span.failed else "")
        first = round((span.start_time - start) / length * _BAR)
        bar = " " * min(first, _BAR - 1) + "▇" * max(1, round(span.duration / length * _BAR))
        at, took = f"{(span.start_time - start) / 1e3:.1f}", f"{span.duration / 1e3:.1f}"
        table.add_row(at, took, trace.service(span), Text(bar[:_BAR].ljust(_BAR), style="cyan"), label)
    out().print(table)


def walk(trace: Trace) -> Iterator[tuple[int, Span]]:
    """Every span once with its depth, children under their parent by start; one whose parent is missing is a root."""
    known = {span.span_id for span in trace.spans}
    children: dict[str, list[Span]] = defaultdict(list)
    for span in sorted(trace.spans, key=lambda each: each.start_time):
        children[span.parent if span.parent in known else ""].append(span)
    waiting = [(0, span) for span in reversed(children[""])]
    while waiting:
        depth, span = waiting.pop()
        yield depth, span
        waiting += [(depth + 1, child) for child in reversed(children[span.span_id])]
