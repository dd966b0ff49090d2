"""What the gateway answers on a real broker, and whom it tells of it."""

from __future__ import annotations

import asyncio

import msgspec
import numpy as np
import pytest
from simulator_house import SimulatorHouse, counts_of

from quire_bus.envelope import Outgoing
from quire_contracts.batch import BatchExecuted, BatchFailed, BatchStarted, ExecuteBatch
from quire_contracts.task import Scoring
from quire_contracts.value import Matrix, inline_blob
from quire_quantum.counts import PackedCounts
from quire_quantum.observables import expectation, group, normalise
from quire_quantum_gateway.__main__ import SERVICE
from quire_quantum_gateway.settings import Settings
from quire_service import hosted
from quire_testing import eventually
from quire_testing.executor_suite import BELL, FLIP, PAIR, TURN_MEASURED


@pytest.fixture
def desk(gateway):
    return SimulatorHouse(gateway)


async def test_a_wrong_member_is_named_and_the_others_keep_their_answers(desk, bus, probe, make):
    log = await probe("quire.evt.>")
    await desk.start()
    missing = inline_blob(np.zeros(3).tobytes(), "application/vnd.quire.float64")
    short = msgspec.structs.replace(
        make.slice("c", [[0.1]]),
        parameters=Matrix(rows=1, columns=1, data=msgspec.structs.replace(missing, inline=None)),
    )
    members = [make.slice("a", [[0.0]]), make.slice("nan", [[np.nan]]), make.slice("wide", [[0.1, 0.2]]), short]
    members.append(make.slice("z", [[np.pi]]))
    await bus.publisher.publish(ExecuteBatch(batch=make.batch(TURN_MEASURED, members)))
    (executed,) = await log.wait(BatchExecuted)
    codes = [result.fault.code if result.fault else None for result in executed.results]
    assert codes == [None, "parameters-not-finite", "parameters-shape", "blob-missing", None]
    assert counts_of(executed.results[0]) == [{"0": 100}]
    assert counts_of(executed.results[4]) == [{"1": 100}]
    assert executed.results[1].counts is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"structure": inline_blob(b"OPENQASM 3.0; include 'x';", "text/plain")}, "structure-malformed"),
        ({"observables": inline_blob(b"{", "application/json")}, "observables-malformed"),
        ({"target": "nowhere:device"}, "unsupported-target"),
        ({"shots": None}, "work-invalid"),
    ],
)
async def test_a_batch_that_cannot_run_fails_as_a_whole(desk, bus, probe, make, change, code):
    log = await probe("quire.evt.>")
    await desk.start()
    batch = make.batch(TURN_MEASURED, [make.slice("a", [[0.1]])])
    for cause in ("one", "two"):
        await bus.publisher.publish(ExecuteBatch(batch=msgspec.structs.replace(batch, **change)), id_=cause)
    first, second = await log.wait(BatchFailed, 2)
    assert first == second
    assert (first.fault.kind, first.fault.code) == ("invalid", code)


async def test_exact_values_come_as_a_matrix(desk, bus, probe, make):
    log = await probe("quire.evt.>")
    await desk.start()
    batch = make.batch(
        PAIR, [make.slice("a", [[0.4], [1.2]])], shots=None, observables=[{"ZZ": 1.0}, {"XX": 2.0, "II": 1}]
    )
    await bus.publisher.publish(ExecuteBatch(batch=batch))
    (executed,) = await log.wait(BatchExecuted)
    values = executed.results[0].values
    found = np.frombuffer(values.data.inline, "<f8").reshape(values.rows, values.columns)
    expected = [[1.0, 2 * np.sin(0.4) + 1], [1.0, 2 * np.sin(1.2) + 1]]
    np.testing.assert_allclose(found, expected, atol=1e-12)


async def test_a_batch_of_many_members_stays_under_the_message_limit(desk, bus, probe, make):
    """Three hundred members, each with more outcomes than fit inline all together."""
    log = await probe("quire.evt.>")
    await desk.start()
    batch = make.batch(BELL, [make.slice(str(index), np.zeros((1, 0)), seed=index) for index in range(150)])
    await bus.publisher.publish(ExecuteBatch(batch=batch))
    (executed,) = await log.wait(BatchExecuted, within=20)
    assert len(executed.results) == 150
    assert len(msgspec.json.encode(executed)) < 240 * 1024
    assert sum(result.counts.data.size for result in executed.results) > 0


async def test_a_slow_batch_says_that_it_has_begun_and_its_jobs_hear_where(desk, bus, probe, make):
    log = await probe("quire.evt.>")
    heard = []

    async def listen():
        async for remark in bus.watch_progress("acme", "job-a"):
            heard.append(remark)  # noqa: PERF401 - it must be seen before the watch ends, and it never does

    listener = asyncio.create_task(listen())
    await desk.start()
    desk.provider.gate.clear()
    quick_enough = make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])
    await bus.publisher.publish(ExecuteBatch(batch=quick_enough))
    (started,) = await log.wait(BatchStarted)
    desk.provider.gate.set()
    await log.wait(BatchExecuted)
    listener.cancel()
    assert (started.batch_id, started.target, [each.job_id for each in started.members]) == (
        "b1",
        "qiskit:aer",
        ["job-a"],
    )
    assert [(remark.stage, remark.target) for remark in heard] == [("execute", "qiskit:aer")]


async def test_a_quick_batch_does_not(desk, bus, probe, make):
    log = await probe("quire.evt.>")
    await desk.start()
    await bus.publisher.publish(ExecuteBatch(batch=make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])))
    await log.wait(BatchExecuted)
    assert log.of(BatchStarted) == []


async def test_the_batch_and_the_jobs_traces_are_linked_both_ways(desk, bus, probe, spans, make):
    log = await probe("quire.evt.>")
    await desk.start()
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    members = [
        make.slice("a", np.zeros((1, 0)), traceparent=f"00-{trace}-{parent}-01"),
        make.slice("untraced", np.zeros((1, 0))),
    ]
    root = spans.tracer().start_span("quire.batch.form")
    context = root.get_span_context()
    sender = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
    await bus.publisher.publish(Outgoing(ExecuteBatch(batch=make.batch(FLIP, members)), traceparent=sender))
    (executed,) = await log.wait(BatchExecuted)
    (batch_span,) = await eventually(lambda: spans.named("quire.batch.execute"))
    (share,) = spans.named("quire.batch.participation")
    assert f"{share.context.trace_id:032x}" == trace
    assert f"{share.parent.span_id:016x}" == parent
    assert batch_span.context.trace_id == context.trace_id
    assert [link.context.span_id for link in share.links] == [batch_span.context.span_id]
    assert [link.context.span_id for link in batch_span.links] == [share.context.span_id]
    assert batch_span.start_time <= share.start_time < share.end_time <= batch_span.end_time
    assert share.attributes["quire.job.id"] == "job-a"
    assert (batch_span.attributes["quire.batch.size"], batch_span.attributes["quire.target"]) == (2, "qiskit:aer")
    ours, untraced = (result.traceparent for result in executed.results)
    assert ours == f"00-{trace}-{share.context.span_id:016x}-01"
    assert untraced is None


async def test_the_whole_service_with_both_real_adapters(provisioned, bus, probe, deliver_again, make):
    log = await probe("quire.cmd.>", "quire.evt.>")
    settings = Settings(nats_url=provisioned.url, targets=("qiskit:aer", "qiskit:fake_manila", "braket:local"))
    async with hosted(SERVICE, settings):
        for target in ("qiskit:aer", "braket:local", "qiskit:fake_manila"):
            batch = make.batch(
                FLIP, [make.slice("a", np.zeros((1, 0)))], target=target, batch_id=target.replace(":", "-")
            )
            await bus.publisher.publish(ExecuteBatch(batch=batch))
        exact = make.batch(
            PAIR, [make.slice("e", [[0.1]])], target="qiskit:fake_manila", shots=None, observables=[{"ZZ": 1}]
        )
        await bus.publisher.publish(ExecuteBatch(batch=msgspec.structs.replace(exact, batch_id="exact")))
        await log.wait(BatchExecuted, 3, within=60)
        await log.wait(BatchFailed, 1, within=60)
        for command in [each for each in log.recorded if isinstance(each.message, ExecuteBatch)]:
            await deliver_again(command)
        last = make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))], batch_id="last")
        await bus.publisher.publish(ExecuteBatch(batch=last))
        executed = {each.target: each for each in await log.wait(BatchExecuted, 4)}
    assert len(log.of(BatchExecuted)) == 4
    assert len(log.of(BatchFailed)) == 1
    for target in ("qiskit:aer", "braket:local"):
        assert counts_of(executed[target].results[0]) == [{"01": 100}]
        assert executed[target].execution.calibration_id == "none"
        assert executed[target].execution.cost_usd == 0.0
    noisy = executed["qiskit:fake_manila"]
    (counts,) = counts_of(noisy.results[0])
    assert max(counts, key=counts.get) == "01"
    assert noisy.execution.calibration_id.startswith("2024-05-27")
    (refused,) = log.of(BatchFailed)
    assert (refused.batch_id, refused.fault.kind, refused.fault.code) == ("exact", "invalid", "unsupported-exact")


async def test_estimates_travel_as_values_with_their_errors_unless_somebody_scores_the_counts(desk, bus, probe, make):
    log = await probe("quire.evt.>")
    await desk.start()
    asked = {"shots": 400, "observables": [{"ZZ": 1.0}, {"XX": 2.0, "II": 1}]}
    member = make.slice("a", [[0.4], [1.2]])
    scored = msgspec.structs.replace(member, scoring=Scoring(scale=1))
    for batch_id, each in (("b1", member), ("b2", scored)):
        await bus.publisher.publish(ExecuteBatch(batch=make.batch(PAIR, [each], batch_id=batch_id, **asked)))
    answers = {each.batch_id: each.results[0] for each in await log.wait(BatchExecuted, 2)}
    estimated, counted = answers["b1"], answers["b2"]
    assert (estimated.counts, counted.values, counted.std_errors) == (None, None, None)
    table = counted.counts
    counts = PackedCounts.from_bytes(table.data.inline, rows=table.rows, bits=table.bits)
    observables = (normalise({"ZZ": 1.0}, 2), normalise({"XX": 2.0, "II": 1.0}, 2))
    for matrix, expected in zip(
        (estimated.values, estimated.std_errors), expectation(counts, observables, group(observables)), strict=True
    ):
        found = np.frombuffer(matrix.data.inline, "<f8").reshape(matrix.rows, matrix.columns)
        np.testing.assert_array_equal(found, expected)
