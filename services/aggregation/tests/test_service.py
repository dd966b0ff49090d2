"""Aggregation on a real broker: every batch is said twice, and each task is answered once."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
import pytest_asyncio

from quire_aggregation.__main__ import SERVICE
from quire_aggregation.fanin import KIND, FanIn
from quire_bus.envelope import Outgoing
from quire_contracts.batch import BatchExecuted, BatchFailed, Slice, SliceResult
from quire_contracts.result import EstimateResult, decode_result
from quire_contracts.task import Scoring, TaskFailed, TaskScored
from quire_contracts.topology import consumer_of
from quire_contracts.value import BlobRef, CountsTable, Execution, Fault, Matrix, Observable
from quire_quantum.counts import PackedCounts, pack, pack_integers
from quire_testing import eventually

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
EXECUTION = Execution(
    target="qiskit:aer",
    provider="qiskit",
    backend="aer",
    region="local",
    calibration_id="none",
    circuit_sha256="a" * 64,
    shots=100,
    parameter_sets=2,
    started_at=NOW,
    queue_seconds=0.0,
    compile_seconds=0.1,
    execute_seconds=0.2,
    cost_usd=3.0,
)
FAULT = Fault("capacity", "queue-full", "the device is busy", "wait", retryable=True)
COST = Observable(("III", "IZZ", "ZZI"), (-1.0, 0.5, 0.5))


@pytest_asyncio.fixture
async def service(serve):
    """The service's handlers on the test's broker."""
    return await serve(SERVICE)


@pytest.fixture
def say(bus, service):
    """`await say(*messages)`: publish each twice, as messages of two ids, and wait until both are settled."""

    async def settled(consumer, sequence):
        info = await bus.connection.client.jetstream().consumer_info(consumer.stream, consumer.durable)
        return info.ack_floor.stream_seq >= sequence and info.num_ack_pending == 0

    async def said(*messages, times=2):
        for repetition, message in itertools.product(range(times), messages):
            published = await bus.publisher.publish(Outgoing(message, attempt=repetition))
            consumer = consumer_of("aggregation", type(message))
        await eventually(lambda: settled(consumer, published.sequence))

    return said


def member(task_id: str = "task-1", first: int = 0, rows: int = 1, total: int | None = None, **changes) -> Slice:
    parameters = Matrix(rows, 0, BlobRef("b" * 64, 0, "application/vnd.quire.float64", b""))
    base = Slice(task_id, f"job-of-{task_id}", "acme", "main", 0, 1, first, total or rows, parameters, None, NOW)
    return msgspec.structs.replace(base, **changes)


def sampled(blob, of: Slice, counts: PackedCounts, groups: int = 1, **changes) -> SliceResult:
    table = CountsTable(counts.rows, groups, counts.bits, blob(counts.to_bytes()))
    return SliceResult(of, counts=table, **changes)


def executed(*results: SliceResult, batch_id: str = "batch-1", **changes) -> BatchExecuted:
    base = BatchExecuted(batch_id, "qiskit:aer", 2, None, 100, EXECUTION, results, NOW, NOW, bits=2)
    return msgspec.structs.replace(base, **changes)


async def all_events(say, seen, blob) -> list:
    """Everything that was said of tasks: what is said of one more task comes after it, so nothing is on its way."""
    name = f"last-{len(seen.recorded)}"
    await say(executed(sampled(blob, member(name), BELL), batch_id=name), times=1)
    await eventually(lambda: any(scored.task_id == name for scored in seen.of(TaskScored)))
    return [one.message for one in seen.recorded if not one.message.task_id.startswith("last-")]


BELL = pack([{"00": 48, "11": 52}], bits=2)


async def test_sample_is_answered_as_its_user_reads_it(say, probe, blob):
    seen = await probe("quire.evt.*.task.>")
    later = executed(sampled(blob, member(), BELL), formed_at=NOW + timedelta(seconds=2))
    await say(later)
    scored = (await seen.wait(TaskScored))[0]
    assert scored.result.counts == ({"00": 48, "11": 52},)
    assert (scored.job_id, scored.task_id, scored.phase, scored.attempt) == ("job-of-task-1", "task-1", "main", 1)
    assert (scored.values, scored.best, scored.result_ref) == (None, None, None)
    assert scored.quality.shots == 100
    assert "totals" in scored.quality.checks
    (execution,) = scored.executions
    assert (execution.task_id, execution.batch_id, execution.parameter_sets) == ("task-1", "batch-1", 1)
    assert [(timing.stage, timing.seconds) for timing in scored.timings][:3] == [
        ("batching", 2.0),
        ("compile", 0.1),
        ("execute", 0.2),
    ]
    assert seen.of(TaskFailed) == []


async def test_the_same_batch_said_twice_gives_the_same_answer(say, probe, blob):
    seen = await probe("quire.evt.*.task.>")
    await say(executed(sampled(blob, member(), BELL)), times=1)
    await say(executed(sampled(blob, member(), BELL)), times=1)
    assert len(await all_events(say, seen, blob)) == 1


async def test_every_member_of_a_batch_is_answered_in_its_own_job(say, probe, blob):
    seen = await probe("quire.evt.*.task.>")
    members = [member(f"task-{index}", tenant=f"tenant-{index}") for index in range(3)]
    await say(executed(*(sampled(blob, each, BELL) for each in members)), times=1)
    await seen.wait(TaskScored, 3)
    assert sorted(seen.subjects) == [f"quire.evt.tenant-{i}.task.scored.v1.job-of-task-{i}" for i in range(3)]
    assert [scored.executions[0].cost_usd for scored in seen.of(TaskScored)] == [1.0, 1.0, 1.0]


async def test_a_wrong_answer_fails_its_own_task_alone(say, probe, blob):
    seen = await probe("quire.evt.*.task.>")
    short = pack([{"00": 40, "11": 52}], bits=2)
    results = (
        sampled(blob, member("good"), BELL),
        sampled(blob, member("short"), short),
        SliceResult(member("faulty"), fault=FAULT),
        SliceResult(member("lost"), counts=CountsTable(1, 1, 2, BlobRef("c" * 64, 16, "application/vnd.quire.counts"))),
    )
    await say(executed(*results), times=1)
    await seen.wait(TaskFailed, 3)
    assert [scored.task_id for scored in await seen.wait(TaskScored)] == ["good"]
    assert {failed.task_id: failed.fault.code for failed in seen.of(TaskFailed)} == {
        "short": "check-totals",
        "faulty": "queue-full",
        "lost": "blob-missing",
    }
    assert {(failed.target, failed.together) for failed in seen.of(TaskFailed)} == {("qiskit:aer", 1)}


async def test_exact_values_are_an_estimate_without_error(say, probe, bus, blob):
    seen = await probe("quire.evt.*.task.>")
    observables = msgspec.json.encode([Observable(("ZZ",), (1.0,)), Observable(("IX",), (0.5,))])
    values = np.array([[1.0, -0.25], [0.5, 0.5]])
    result = SliceResult(member(rows=2), values=Matrix(2, 2, blob(values.tobytes())))
    await say(executed(result, observables=blob(observables), shots=None))
    scored = (await seen.wait(TaskScored))[0]
    assert scored.result == EstimateResult(((1.0, -0.25), (0.5, 0.5)), ((0.0, 0.0), (0.0, 0.0)))
    assert np.frombuffer(await bus.blobs.get(scored.values.data)).reshape(2, 2).tolist() == values.tolist()
    assert scored.quality.shots == 0


async def test_shots_for_observables_become_values_with_errors(say, probe, blob):
    seen = await probe("quire.evt.*.task.>")
    observables = msgspec.json.encode([Observable(("IX", "ZZ"), (0.5, 1.0))])
    counts = pack([{"00": 75, "01": 25}, {"00": 90, "01": 10}], bits=2)
    await say(executed(sampled(blob, member(), counts, groups=2), observables=blob(observables)))
    result = (await seen.wait(TaskScored))[0].result
    assert result.values[0][0] == pytest.approx(0.5 + 0.5 * 0.8)
    assert result.std_errors[0][0] == pytest.approx(np.sqrt(0.75 / 99 + 0.25 * 0.36 / 99))


async def test_values_reduced_by_the_plane_are_the_answer(say, probe, blob):
    seen = await probe("quire.evt.*.task.>")
    observables = msgspec.json.encode([Observable(("IX", "ZZ"), (0.5, 1.0))])
    values, errors = (Matrix(2, 1, blob(np.array(numbers).tobytes())) for numbers in ([0.5, -1.0], [0.1, 0.0]))
    results = [SliceResult(member(name, rows=2), values=values, std_errors=errors) for name in ("a", "b")]
    await say(executed(*results, observables=blob(observables)))
    for scored in (await seen.wait(TaskScored, 2))[:2]:
        assert scored.result == EstimateResult(((0.5,), (-1.0,)), ((0.1,), (0.0,)))
        assert (scored.values, scored.std_errors, scored.quality.shots) == (values, errors, 400)


async def test_slices_of_a_cut_task_may_be_reduced(say, probe, blob):
    seen = await probe("quire.evt.*.task.>")
    observables = blob(msgspec.json.encode([Observable(("ZZ",), (1.0,))]))
    error = np.sqrt(0.75 / 99)
    for first, said in ((1, (1.0, 0.0)), (0, (0.5, error))):
        values, errors = (Matrix(1, 1, blob(np.array([number]).tobytes())) for number in said)
        result = SliceResult(member(first=first, total=2), values=values, std_errors=errors)
        await say(executed(result, observables=observables, batch_id=f"batch-{first}"))
    scored = (await seen.wait(TaskScored))[0]
    assert scored.result == EstimateResult(((0.5,), (1.0,)), ((error,), (0.0,)))


async def test_large_results_travel_by_reference(say, probe, bus, blob):
    seen = await probe("quire.evt.*.task.>")
    counts = pack_integers([(np.arange(2**14), np.ones(2**14, int))], bits=14)
    kept = await bus.blobs.put(counts.to_bytes(), "application/vnd.quire.counts")
    wide = SliceResult(member("wide"), counts=CountsTable(1, 1, 14, kept))
    await say(executed(wide, qubits=14, bits=14, shots=2**14), times=1)
    table = (await seen.wait(TaskScored))[0].result.table
    assert table.data == kept
    assert PackedCounts.from_bytes(await bus.blobs.get(table.data), rows=1, bits=14) == counts
    observables = msgspec.json.encode([Observable(("Z",), (1.0,))] * 10)
    values = np.random.default_rng(1).uniform(-1, 1, (1_000, 10))
    result = SliceResult(
        member("many", rows=1_000), values=Matrix(1_000, 10, await bus.blobs.put(values.tobytes(), "m"))
    )
    exact = executed(result, batch_id="batch-2", observables=blob(observables), shots=None, qubits=1, bits=1)
    await say(exact, times=1)
    scored = (await seen.wait(TaskScored, 2))[1]
    assert scored.result is None
    assert decode_result(await bus.blobs.get(scored.result_ref)).values == tuple(map(tuple, values.tolist()))


async def test_samples_of_a_problem_are_scored(say, probe, blob):
    seen = await probe("quire.evt.*.task.>")
    scoring = Scoring(scale=-1, reference=2.0, reference_exact=True, worst=0.0)
    of = member(phase="final", scoring=scoring)
    counts = pack([{"010": 30, "000": 50, "001": 20}], bits=3)
    cost = blob(msgspec.json.encode([COST]))
    await say(executed(sampled(blob, of, counts), observables=cost, qubits=3))
    scored = (await seen.wait(TaskScored))[0]
    assert (scored.best.value, scored.best.assignment, scored.best.probability) == (2.0, (0, 1, 0), 0.3)
    assert scored.quality.figures.approximation_ratio == 1.0
    assert scored.quality.figures.optimal is True
    assert "optimum" in scored.quality.checks
    assert scored.result is None
    assert scored.values.rows == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_slices_in_any_order_and_twice_give_one_answer(say, probe, bus, blob, order):
    seen = await probe("quire.evt.*.task.>")
    tables = [pack([{"00": 100 - row, "11": row}], bits=2) for row in range(3)]
    batches = [
        executed(sampled(blob, member(first=row, total=3), tables[row]), batch_id=f"batch-{row}") for row in range(3)
    ]
    for position, row in enumerate(order):
        assert await all_events(say, seen, blob) == []
        await say(batches[row])
        if position < 2:
            stored = await bus.records(KIND, FanIn).get("acme", "task-1-1")
            assert len(stored.value.parts) == position + 1
            assert all(part.counts.data.inline is None for part in stored.value.parts)
    (scored,) = await all_events(say, seen, blob)
    assert scored.result.counts == tuple({"00": 100 - row, "11": row} if row else {"00": 100} for row in range(3))
    assert [execution.batch_id for execution in scored.executions] == ["batch-0", "batch-1", "batch-2"]
    assert scored.quality.shots == 300
    await say(batches[0])
    stored = await bus.records(KIND, FanIn).get("acme", "task-1-1")
    assert (stored.value.over, stored.value.parts) == (True, ())
    assert len(await all_events(say, seen, blob)) == 1


async def test_a_failed_slice_ends_the_task_and_later_ones_say_nothing(say, probe, blob):
    seen = await probe("quire.evt.*.task.>")
    await say(executed(sampled(blob, member(first=0, total=2), BELL)))
    await say(BatchFailed("batch-2", "qiskit:aer", (member(first=1, total=2),), FAULT, 7.0))
    await say(executed(sampled(blob, member(first=1, total=2), BELL), batch_id="batch-3"))
    (failed,) = await all_events(say, seen, blob)
    assert (failed.fault, failed.after_seconds) == (FAULT, 7.0)


async def test_failed_batch_fails_every_task_once(say, probe):
    seen = await probe("quire.evt.*.task.>")
    members = (member("one"), member("two"), member("cut", first=0, total=2), member("cut", first=1, total=2))
    await say(BatchFailed("batch-1", "qiskit:aer", members, FAULT, 2.5), times=1)
    failed = await seen.wait(TaskFailed, 3)
    assert sorted(each.task_id for each in failed) == ["cut", "one", "two"]
    assert {(each.fault.code, each.after_seconds, each.attempt) for each in failed} == {("queue-full", 2.5, 1)}
    assert {each.together for each in failed} == {3}, "whose fault it is nobody can say yet"


async def test_batch_with_unreadable_observables_fails_every_task(say, probe, blob):
    seen = await probe("quire.evt.*.task.>")
    results = [SliceResult(member(name), values=Matrix(1, 1, blob(bytes(8)))) for name in ("one", "two")]
    await say(executed(*results, observables=blob(b"nonsense"), shots=None), times=1)
    failed = await seen.wait(TaskFailed, 2)
    assert [(each.task_id, each.fault.code) for each in failed] == [
        ("one", "observables-unreadable"),
        ("two", "observables-unreadable"),
    ]


async def test_score_is_said_in_the_jobs_own_trace(say, probe, spans, blob):
    seen = await probe("quire.evt.*.task.>")
    parent = f"00-{7:032x}-{9:016x}-01"
    results = [
        sampled(blob, member("good"), BELL, traceparent=parent),
        SliceResult(member("faulty", traceparent=parent), fault=FAULT),
    ]
    await say(executed(*results), times=1)
    good, faulty = spans.named("quire.stage.score")
    for span in (good, faulty):
        assert (span.context.trace_id, span.parent.span_id) == (7, 9)
    assert good.attributes["quire.job.id"] == "job-of-good"
    assert faulty.attributes["quire.fault.code"] == "queue-full"
    (send,) = spans.named("send task.scored")
    assert (send.context.trace_id, send.parent.span_id) == (7, good.context.span_id)
    await seen.wait(TaskScored)
    await seen.wait(TaskFailed)
    assert all(record.meta.traceparent.split("-")[1] == f"{7:032x}" for record in seen.recorded)


async def test_another_bit_order_does_not_get_in(say, probe, bus, blob):
    seen = await probe("quire.evt.*.task.>")
    dead = await probe("quire.dead.>", stream="QUIRE_DEAD")
    message = executed(sampled(blob, member(), BELL))
    turned = msgspec.structs.replace(message.results[0].counts, bit_order="big")
    results = (msgspec.structs.replace(message.results[0], counts=turned),)
    await say(msgspec.structs.replace(message, results=results), times=1)
    await eventually(lambda: dead.recorded)
    assert b"bit_order" in msgspec.json.encode(dead.recorded[0].headers)
    assert await all_events(say, seen, blob) == []
