import io
import json
import logging

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from quire_service import logs


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._CHATTY}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, each in levels.items():
        logging.getLogger(name).setLevel(each)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def lines():
    """Configures JSON logs and gives what was written so far, parsed."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_the_ids_of_the_message_and_the_span_in_hand(lines):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    log = logs.logger_for("batching", "1.2.3")
    with tracer.start_as_current_span("process") as span, logs.ids(tenant="acme", job_id="j1"):
        log.info("gathered", tasks=3)
    log.info("idle")
    first, second = lines()
    context = span.get_span_context()
    assert list(first) == [
        "ts", "level", "event", "service", "version", "trace_id", "span_id", "job_id", "tenant", "tasks",
    ]  # fmt: skip
    assert (first["event"], first["service"], first["version"]) == ("gathered", "batching", "1.2.3")
    assert first["trace_id"] == trace.format_trace_id(context.trace_id)
    assert first["span_id"] == trace.format_span_id(context.span_id)
    assert (first["job_id"], first["tenant"], first["tasks"]) == ("j1", "acme", 3)
    assert first["ts"].endswith("Z")
    assert {"job_id", "trace_id", "tasks"} & second.keys() == set()


def test_the_ids_of_an_inner_block_are_added_to_those_around_it_and_give_way_to_the_lines_own(lines):
    log = logs.logger_for("batching", "1")
    with logs.ids(tenant="acme", job_id="j1"):
        with logs.ids(job_id="j2", batch_id="b"):
            log.info("inner", batch_id="own")
        log.info("outer")
    inner, outer = lines()
    assert (inner["tenant"], inner["job_id"], inner["batch_id"]) == ("acme", "j2", "own")
    assert (outer["tenant"], outer["job_id"]) == ("acme", "j1")
    assert "batch_id" not in outer


def test_foreign_libraries_write_the_same_lines(lines):
    logs.name_process("ledger", "2.0")
    logging.getLogger("some.library").warning("half of %s", "it", extra={"detail": 7})
    (line,) = lines()
    assert line["event"] == "half of it"
    assert (line["level"], line["service"], line["logger"], line["detail"]) == ("warning", "ledger", "some.library", 7)


def test_libraries_that_narrate_are_kept_quiet(lines):
    logging.getLogger("qiskit.transpiler").info("pass 17")
    logging.getLogger("some.library").info("said once")
    assert [line["event"] for line in lines()] == ["said once"]


def test_an_exception_is_data(lines):
    try:
        raise ValueError("wrong shape")  # noqa: TRY301
    except ValueError:
        logs.logger_for("api", "1").exception("crashed")
    (line,) = lines()
    assert line["level"] == "error"
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert line["exception"][0]["exc_value"] == "wrong shape"


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_shows_no_local_variable(form):
    """Locals hold settings, and settings hold secrets."""
    stream = io.StringIO()
    logs.configure("info", form, stream)

    def fail():
        url = "postgresql://quire:" + "hunter2".upper()
        raise ValueError(f"no host in {len(url)} characters")

    try:
        fail()
    except ValueError:
        logs.logger_for("api", "1").exception("crashed")
        logging.getLogger("a.library").exception("deep down")
    assert stream.getvalue().count("no host in 26 characters") == 2
    assert "HUNTER2" not in stream.getvalue()


def test_what_json_does_not_know_is_written_all_the_same(lines):
    logs.logger_for("api", "1").info("odd", thing={1, 2}.__class__, number=float("nan"))
    (line,) = lines()
    assert line["thing"] == "<class 'set'>"


def test_levels_are_kept(lines):
    logs.logger_for("api", "1").debug("not this")
    assert lines() == []


def test_a_person_gets_text():
    stream = io.StringIO()
    logs.configure("info", "console", stream)
    with logs.ids(job_id="j1"):
        logs.logger_for("api", "1.2.3").info("hello", n=1)
    (line,) = stream.getvalue().splitlines()
    assert "hello" in line
    assert "job_id=j1" in line
    assert "1.2.3" not in line


def test_auto_is_json_where_nobody_watches():
    stream = io.StringIO()
    logs.configure("info", "auto", stream)
    logs.logger_for("api", "1").info("hello")
    assert json.loads(stream.getvalue())["event"] == "hello"
