"""Structured logs on stderr: one JSON object a line, the same ids as in the traces, foreign libraries included."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, Final, Literal, TextIO

import msgspec
import structlog
from opentelemetry import trace
from structlog.typing import FilteringBoundLogger, Processor

_FIRST = ("ts", "level", "event", "service", "version", "trace_id", "span_id", "job_id", "tenant", "batch_id")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_CHATTY = (
    "faststream",
    "httpx",
    "httpcore",
    "qiskit",
    "stevedore",
    "urllib3",
    "uvicorn",
    "botocore",
    "boto3",
    "asyncio",
)

_IDS: Final[ContextVar[Mapping[str, str]]] = ContextVar("quire log ids", default={})  # noqa: B039 - never written to


def configure(level: str, form: Literal["auto", "json", "console"], stream: TextIO | None = None) -> None:
    """Send every log line of this process, structlog's and the standard library's, to `stream` (stderr by default).

    `auto` writes for people when the stream is a terminal and JSON otherwise. Libraries that narrate are kept to
    warnings unless `level` is debug. Doing it again replaces what was set before.
    """
    stream = sys.stderr if stream is None else stream
    human = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        _add_span,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _name_source],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_console(stream) if human else _json()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)  # each retry is a warning; the loss is an error
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)


def logger_for(service: str, version: str) -> FilteringBoundLogger:
    """The logger a service is handed; ids of the message in hand come from the context (`ids`)."""
    logger: FilteringBoundLogger = structlog.get_logger(f"quire.{service}").bind(service=service, version=version)
    return logger


def name_process(service: str, version: str) -> None:
    """Mark this context's log lines, foreign libraries' included, as those of `service`."""
    structlog.contextvars.bind_contextvars(service=service, version=version)


class ids:  # noqa: N801 - used as a verb: `with ids(...)`
    """Every line logged inside the block, also by tasks it starts, carries `values` (job_id, tenant, batch_id).

    One context variable for all of them, read where a line is written: nearly every message is handled without a line
    (structlog's own bound variables took a tenth of the time of a busy process).
    """

    __slots__ = ("_token", "_values")

    def __init__(self, **values: str) -> None:
        self._values = values

    def __enter__(self) -> None:
        """From here on."""
        outer = _IDS.get()
        self._token = _IDS.set({**outer, **self._values} if outer else self._values)

    def __exit__(self, *_: object) -> None:
        """As before."""
        _IDS.reset(self._token)


def _add_ids(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in _IDS.get().items():
        event.setdefault(name, value)
    return event


def _add_span(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _name_source(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record = event.get("_record")
    if record is not None:
        event["logger"] = record.name
    return event


def _order(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    known = {key: event.pop(key) for key in _FIRST if key in event}
    return {**known, **event}


def _json() -> list[Processor]:
    return [
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # locals hold settings, and those secrets
        ),
        _order,
        structlog.processors.JSONRenderer(serializer=_encode),
    ]


def _console(stream: TextIO) -> list[Processor]:
    plain = structlog.dev.plain_traceback  # the fancy ones print locals
    return [
        _shorten,
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="ts", exception_formatter=plain),
    ]


def _shorten(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A person at a terminal reads one machine's log: the version and the span's id are noise there."""
    for key in ("version", "span_id"):
        event.pop(key, None)
    return event


def _encode(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()
