from datetime import timedelta

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from quire_bus.envelope import Outgoing
from quire_bus.router import Router
from quire_contracts.job import CancelJob, ExpireJob, JobRejected
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing import eventually

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def control(make_bus, spans):
    return await make_bus("control-plane", tracer=spans.tracer("control-plane"))


def ids(span):
    return span.context.trace_id, span.context.span_id


def parent(span):
    return (span.parent.trace_id, span.parent.span_id) if span.parent else None


async def test_spans_nest_as_the_messages_do(control, make_bus, spans, probe, cancel, rejected):
    log, router = await probe(">"), Router("control-plane")
    edge = await make_bus("api", tracer=spans.tracer("api"))

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        with spans.tracer("control-plane").start_as_current_span("decide"):
            await delivery.commit(rejected("j1"), rejected("j2"))

    control.include(router)
    await control.start()
    with spans.tracer("api").start_as_current_span("request"):
        sent = await edge.publisher.publish(cancel("j1"))
    await log.wait(JobRejected, 2)
    await eventually(lambda: spans.named("process job.cancel"))
    [request], [send] = spans.named("request"), spans.named("send job.cancel")
    [process], [decide] = spans.named("process job.cancel"), spans.named("decide")
    answers = spans.named("send job.rejected")
    assert [parent(span) for span in (request, send, process, decide)] == [None, ids(request), ids(send), ids(process)]
    assert [parent(span) for span in answers] == [ids(decide)] * 2
    assert len({span.context.trace_id for span in spans.finished}) == 1
    assert (send.kind, process.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    header = f"00-{send.context.trace_id:032x}-{send.context.span_id:016x}-"
    assert log.recorded[0].headers["traceparent"].startswith(header)
    assert {one.headers["traceparent"][3:35] for one in log.recorded if "traceparent" in one.headers} == {header[3:35]}
    assert process.attributes["messaging.message.id"] == sent.id
    expected = {
        "messaging.system": "nats",
        "messaging.operation.type": "process",
        "messaging.destination.template": "quire.cmd.{tenant}.job.cancel.v1.{key}",
        "messaging.message.conversation_id": "j1",
        "messaging.consumer.group.name": "control-plane-job-cancel-v1",
        "quire.job.id": "j1",
        "quire.tenant": "acme",
        "quire.delivery.attempt": 1,
    }
    assert {name: process.attributes[name] for name in expected} == expected
    assert process.resource.attributes["service.name"] == "control-plane"


async def test_a_foreign_trace_is_continued_and_named_parents_are_kept(control, js, spans, probe, rejected):
    events, router = await probe("quire.evt.>"), Router("control-plane")
    other = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        await delivery.commit(Outgoing(rejected("j1"), traceparent=other))

    control.include(router)
    await control.start()
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "io.quire.job.cancel.v1"}
    headers |= {"Traceparent": PARENT, "tracestate": "vendor=7"}
    await js.publish("quire.cmd.acme.job.cancel.v1.j1", b'{"job_id":"j1","tenant":"acme"}', headers=headers)
    await events.wait(JobRejected)
    await eventually(lambda: spans.named("process job.cancel"))
    [process], [send] = spans.named("process job.cancel"), spans.named("send job.rejected")
    assert f"{process.context.trace_id:032x}-{process.parent.span_id:016x}" == PARENT[3:-3]
    assert process.context.trace_state.get("vendor") == "7"
    assert f"{send.context.trace_id:032x}-{send.parent.span_id:016x}" == other[3:-3]


async def test_a_failure_is_seen_and_the_next_span_is_not_its_child(control, bus, spans, cancel, rejected):
    router = Router("control-plane")

    @router.consume(CancelJob, failed=lambda message, meta, fault: [rejected(message.job_id)])
    async def do_cancel(message, delivery):
        raise Permanent("too-wide", "the program has 40 qubits")

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await eventually(lambda: spans.named("process job.cancel"))
    [process], [send] = spans.named("process job.cancel"), spans.named("send job.rejected")
    assert process.status.status_code is StatusCode.ERROR
    assert "too-wide" in process.status.description
    assert parent(send) == ids(process)  # the failure event belongs to the attempt that failed
    assert not trace.get_current_span().get_span_context().is_valid


async def test_an_inert_tracer_passes_the_incoming_context_on(make_bus, js, probe, rejected):
    events, router = await probe("quire.evt.>"), Router("control-plane")
    control = await make_bus("control-plane", tracer=trace.NoOpTracer())

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        await delivery.commit(rejected("j1"))

    control.include(router)
    await control.start()
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "io.quire.job.cancel.v1"}
    await js.publish(
        "quire.cmd.acme.job.cancel.v1.j1", b'{"job_id":"j1","tenant":"acme"}', headers=headers | {"traceparent": PARENT}
    )
    await events.wait(JobRejected)
    assert events.recorded[0].headers["traceparent"] == PARENT


async def test_a_scheduled_message_stays_in_its_trace(control, bus, spans, probe, cancel):
    log, router = await probe("quire.cmd.>"), Router("control-plane")

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        at = SystemClock().now() + timedelta(seconds=1)
        await delivery.commit(Outgoing(ExpireJob(job_id="j1", tenant="acme"), at=at))

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await log.wait(ExpireJob)
    [send] = spans.named("send job.expire")
    assert log.recorded[-1].headers["traceparent"][3:52] == f"{send.context.trace_id:032x}-{send.context.span_id:016x}"


async def test_the_service_s_surroundings_hold_while_a_handler_runs(make_bus, bus, cancel):
    from contextlib import contextmanager

    seen, router = [], Router("control-plane")

    @contextmanager
    def around(meta):
        seen.append(("in", meta.key))
        yield
        seen.append(("out", meta.key))

    control = await make_bus("control-plane", around=around)

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        seen.append(("run", message.job_id))

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await eventually(lambda: len(seen) == 3)
    assert seen == [("in", "j1"), ("run", "j1"), ("out", "j1")]
