"""The gateway on a real broker; every message comes at least twice."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import pytest_asyncio
import structlog

from quire_bus.envelope import Outgoing
from quire_contracts.batch import BatchExecuted, BatchFailed, BatchStarted, ExecuteBatch
from quire_contracts.task import Scoring
from quire_contracts.value import Matrix, inline_blob
from quire_quantum.counts import PackedCounts, unpack
from quire_quantum.executor import Capabilities
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import expectation, group, normalise
from quire_quantum_gateway.__main__ import SERVICE
from quire_quantum_gateway.events import Accepted
from quire_quantum_gateway.failpoints import NoFailpoints
from quire_quantum_gateway.handlers import compose
from quire_quantum_gateway.journal import KIND, Submission
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.local_jobs import LocalJobs
from quire_quantum_gateway.providers.port import Quote
from quire_quantum_gateway.settings import Settings
from quire_quantum_gateway.sites import Site
from quire_quantum_gateway.submissions import Submissions, Superseded
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_service import Deps, hosted
from quire_testing import eventually
from quire_testing.executor_suite import BELL, FLIP, PAIR, TURN_MEASURED


class FakeProvider:
    """The fake executor behind the provider port; counts its submissions, and can hold them or spoil them."""

    name = "qiskit"

    def __init__(self):
        self.runs = []
        self.gate = threading.Event()
        self.gate.set()
        self.spoil = None
        self.identity_now = None
        self._jobs = LocalJobs()
        self._executor = FakeExecutor("qiskit:aer")

    def discover(self):
        return [self.capabilities("aer")]

    def capabilities(self, backend):
        return Capabilities(target=f"qiskit:{backend}", max_qubits=12, exact=True)

    def site(self, backend):
        return Site(self.name, "local", "local", backend)

    def identity_mode(self, backend):
        return "forgetful"

    def identity(self, backend):
        return self.identity_now

    def refresh(self):
        return ()

    def snapshots(self):
        return {}

    def cost(self, backend, work):
        return Quote()

    def submit(self, backend, work, token, *, deadline=math.inf):
        return self._jobs.accept(f"{token}-{len(self.runs)}", lambda: self._run(work))

    def status(self, job_id):
        return self._jobs.status(job_id)

    def cancel(self, job_id):
        self._jobs.cancel(job_id)

    def retrieve(self, backend, work, job_id):
        return self._jobs.result(job_id)

    def classify(self, error):
        return faults.classify(error, faults.load("qiskit")).fault

    def _run(self, work):
        self.runs.append(work)
        self.gate.wait(20)
        if self.spoil is not None:
            error, self.spoil = self.spoil, None
            raise error
        return self._executor.execute(work)


@pytest.fixture
def provider():
    return FakeProvider()


@pytest_asyncio.fixture
async def lifetime():
    async with contextlib.AsyncExitStack() as stack:
        yield stack


@pytest_asyncio.fixture
async def desk(make_bus, provider, spans, lifetime):
    """`await desk.start()`: one gateway with the fake `desk.provider`, on a connection of its own."""

    async def start():
        tracer = spans.tracer("quantum-gateway")
        bus = await make_bus("quantum-gateway", tracer=tracer)
        deps = Deps(
            settings=Settings(workers=4),
            bus=bus,
            clock=SystemClock(),
            tracer=tracer,
            log=structlog.get_logger(),
            instance="test",
            lifetime=lifetime,
        )
        for each in compose(deps, {"qiskit": provider}, NoFailpoints()).routers:
            bus.include(each)
        await bus.start()
        return bus

    return SimpleNamespace(start=start, provider=provider)


def counts_of(result):
    table = result.counts
    return unpack(PackedCounts.from_bytes(table.data.inline, rows=table.rows, bits=table.bits))


async def journal_of(bus, batch_id="b1"):
    return (await bus.records(KIND, Submission).get("shared", batch_id)).value


async def test_a_batch_is_run_once_and_answered_once_however_often_it_comes(desk, bus, probe, deliver_again, make):
    log = await probe("quire.cmd.>", "quire.evt.>")
    await desk.start()
    batch = make.batch(FLIP, [make.slice("a", np.zeros((1, 0))), make.slice("b", np.zeros((2, 0)))])
    await bus.publisher.publish(ExecuteBatch(batch=batch))
    (executed,) = await log.wait(BatchExecuted)
    command = next(each for each in log.recorded if isinstance(each.message, ExecuteBatch))
    await deliver_again(command)
    await bus.publisher.publish(ExecuteBatch(batch=msgspec.structs.replace(batch, batch_id="b2")))
    await log.wait(BatchExecuted, 2)
    assert [each.batch_id for each in log.of(BatchExecuted)] == ["b1", "b2"]
    assert len(desk.provider.runs) == 2
    assert [counts_of(result) for result in executed.results] == [[{"01": 100}], [{"01": 100}, {"01": 100}]]
    assert [result.member.task_id for result in executed.results] == ["task-a", "task-b"]
    assert (executed.execution.batch_id, executed.execution.parameter_sets, executed.bits) == ("b1", 3, 2)
    assert executed.execution.target == "qiskit:aer"


async def test_the_same_batch_by_another_message_gets_the_same_answer_without_a_second_run(desk, bus, probe, make):
    """As after a gateway that died between storing the answer and saying it."""
    log = await probe("quire.evt.>")
    await desk.start()
    batch = make.batch(TURN_MEASURED, [make.slice("a", [[0.3], [1.1]], seed=None)])
    await bus.publisher.publish(ExecuteBatch(batch=batch))
    await bus.publisher.publish(ExecuteBatch(batch=batch), id_="another-cause")
    first, second = await log.wait(BatchExecuted, 2)
    assert first == second
    assert len(desk.provider.runs) == 1
    journal = await journal_of(bus)
    assert [step.state for step in journal.steps] == ["intent", "submitted", "retrieved"]
    assert journal.provider_job_id.startswith("local-")


async def test_intent_and_job_are_written_before_the_answer_is_there(desk, bus, make):
    desk.provider.gate.clear()
    await desk.start()
    await bus.publisher.publish(ExecuteBatch(batch=make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])))
    await eventually(lambda: len(desk.provider.runs) == 1)
    journal = await journal_of(bus)
    assert (journal.state, journal.epoch, journal.provider_job_id != "") == ("submitted", 1, True)
    desk.provider.gate.set()


async def test_a_gateway_that_died_is_replaced_and_the_journal_shows_it(desk, bus, probe, make):
    """The journal as a gateway leaves it that was killed while its simulator ran."""
    log = await probe("quire.evt.>")
    batch = make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])
    journal = Submissions(bus.records(KIND, Submission), bus.blobs, SystemClock())
    await journal.happened(await journal.open(batch), Accepted(1, "local-gone"))
    await desk.start()
    await bus.publisher.publish(ExecuteBatch(batch=batch))
    (executed,) = await log.wait(BatchExecuted)
    assert counts_of(executed.results[0]) == [{"01": 100}]
    assert [(step.state, step.epoch, step.note) for step in (await journal_of(bus)).steps] == [
        ("intent", 1, ""),
        ("submitted", 1, ""),
        ("intent", 2, "taken over from submitted"),
        ("submitted", 2, ""),
        ("retrieved", 2, ""),
    ]


async def test_a_gateway_that_was_given_up_cannot_write_into_its_successors_run(bus, make):
    batch = make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])
    journal = Submissions(bus.records(KIND, Submission), bus.blobs, SystemClock())
    given_up = await journal.open(batch)
    successor = await journal.open(batch)
    with pytest.raises(Superseded):
        await journal.happened(given_up, Accepted(given_up.epoch, "local-late"))
    await journal.happened(successor, Accepted(successor.epoch, "local-mine"))
    stored = await journal_of(bus)
    assert (stored.epoch, stored.state, stored.provider_job_id) == (2, "submitted", "local-mine")


async def test_the_same_message_twice_at_once_is_one_run(desk, bus, probe, deliver_again, make):
    log = await probe("quire.cmd.>", "quire.evt.>")
    desk.provider.gate.clear()
    await desk.start()
    await bus.publisher.publish(ExecuteBatch(batch=make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])))
    await eventually(lambda: len(desk.provider.runs) == 1)
    for _ in range(2):
        await deliver_again(log.recorded[0])
    desk.provider.gate.set()
    await log.wait(BatchExecuted)
    await bus.publisher.publish(
        ExecuteBatch(batch=make.batch(FLIP, [make.slice("b", np.zeros((1, 0)))], batch_id="b2"))
    )
    await log.wait(BatchExecuted, 2)
    assert [each.batch_id for each in log.of(BatchExecuted)] == ["b1", "b2"]
    assert len(desk.provider.runs) == 2


async def test_an_error_nobody_knows_is_unknown_in_the_journal_and_then_run_again(desk, bus, probe, make):
    log = await probe("quire.evt.>")
    desk.provider.spoil = KeyError("a bug")
    await desk.start()
    await bus.publisher.publish(ExecuteBatch(batch=make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])))
    await log.wait(BatchExecuted, within=30)
    journal = await journal_of(bus)
    assert [(step.state, step.note) for step in journal.steps][2:4] == [
        ("unknown", "KeyError"),
        ("intent", "taken over from unknown"),
    ]
    assert log.of(BatchFailed) == []


async def test_a_failure_is_said_once_and_again_without_a_second_run(desk, bus, probe, make):
    log = await probe("quire.evt.>")
    desk.provider.spoil = Permanent("offline", "the device is away", next_step="Wait.", kind="offline", retryable=True)
    await desk.start()
    batch = make.batch(FLIP, [make.slice("a", np.zeros((1, 0))), make.slice("b", np.zeros((1, 0)))])
    await bus.publisher.publish(ExecuteBatch(batch=batch))
    await bus.publisher.publish(ExecuteBatch(batch=batch), id_="another-cause")
    first, second = await log.wait(BatchFailed, 2)
    assert first == second
    assert (first.fault.kind, first.fault.code, first.fault.retryable) == ("offline", "offline", True)
    assert [member.task_id for member in first.members] == ["task-a", "task-b"]
    assert len(desk.provider.runs) == 1


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


async def test_work_that_ran_before_is_answered_without_its_provider(desk, bus, probe, make):
    """Another job's batch of the same content: no run, no cost, and the journal says that nothing was submitted."""
    log = await probe("quire.evt.>")
    desk.provider.identity_now = "qiskit:aer|today"
    await desk.start()
    for batch_id, name in (("b1", "a"), ("b2", "b")):
        batch = make.batch(TURN_MEASURED, [make.slice(name, [[0.3], [1.1]])], batch_id=batch_id)
        await bus.publisher.publish(ExecuteBatch(batch=batch))
        await log.wait(BatchExecuted, 1 if batch_id == "b1" else 2)
    first, second = log.of(BatchExecuted)
    assert len(desk.provider.runs) == 1
    assert counts_of(first.results[0]) == counts_of(second.results[0])
    assert [each.results[0].member.job_id for each in (first, second)] == ["job-a", "job-b"]
    assert second.execution.provider_metadata == {"cached": True, "shared_members": 1}
    assert (second.execution.execute_seconds, second.execution.batch_id) == (0.0, "b2")
    journal = await journal_of(bus, "b2")
    assert ([step.state for step in journal.steps], journal.provider_job_id) == (["intent", "retrieved"], "")
    desk.provider.identity_now = "qiskit:aer|tomorrow"
    await bus.publisher.publish(
        ExecuteBatch(batch=make.batch(TURN_MEASURED, [make.slice("c", [[0.3], [1.1]])], batch_id="b3"))
    )
    await log.wait(BatchExecuted, 3)
    assert len(desk.provider.runs) == 2


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


async def test_a_calibration_in_the_middle_of_a_run_spoils_the_run(desk, bus, probe, make):
    log = await probe("quire.evt.>")
    desk.provider.identity_now = "qiskit:aer|monday"
    desk.provider.gate.clear()
    await desk.start()
    await bus.publisher.publish(ExecuteBatch(batch=make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])))
    await eventually(lambda: len(desk.provider.runs) == 1)
    desk.provider.identity_now = "qiskit:aer|tuesday"
    desk.provider.gate.set()
    await log.wait(BatchExecuted, within=30)
    assert len(desk.provider.runs) == 2
    assert (await journal_of(bus)).steps[2].state == "failed"
