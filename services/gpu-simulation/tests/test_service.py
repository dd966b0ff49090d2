"""The simulation plane on a real broker; every message comes at least twice."""

from __future__ import annotations

import threading

import msgspec
import numpy as np
import pytest
from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import NoOpTracer

from quire_bus.envelope import Outgoing
from quire_contracts.batch import BatchExecuted, BatchFailed, BatchStarted, SimulateBatch
from quire_gpu_simulation.__main__ import SERVICE
from quire_gpu_simulation.aer_executor import AerExecutor
from quire_gpu_simulation.budget import MemoryBudget
from quire_gpu_simulation.cross_check import is_chosen
from quire_gpu_simulation.engine import BACKEND
from quire_gpu_simulation.executor import SimulationExecutor
from quire_gpu_simulation.handlers import router
from quire_gpu_simulation.limits import Limits
from quire_gpu_simulation.settings import Settings
from quire_gpu_simulation.simulators import Simulators, open_simulators
from quire_plane import Lanes, Plane
from quire_plane.coalescing import Coalescing
from quire_plane.content import keys
from quire_plane.fleet_results import BUCKET, FleetResults, KeptResult
from quire_plane.result_memory import ResultMemory
from quire_quantum.counts import PackedCounts, unpack
from quire_quantum.executor import Member, Outcome, Work
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import normalise
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent, Transient
from quire_service import hosted
from quire_testing import eventually
from quire_testing.executor_suite import BELL, FLIP, PAIR, TURN, TURN_MEASURED

Z = normalise({"Z": 1.0}, 1)


class CountingExecutor(FakeExecutor):
    """The fake executor; counts its runs, and can be held or spoiled."""

    def __init__(self):
        super().__init__("simulation")
        self.runs = []
        self.gate = threading.Event()
        self.gate.set()
        self.spoil = []

    def execute(self, work):
        self.runs.append(work)
        self.gate.wait(20)
        if self.spoil:
            raise self.spoil.pop()
        return super().execute(work)


@pytest.fixture
def executor():
    return CountingExecutor()


@pytest.fixture
async def plane(make_bus, executor, spans):
    """One plane with the fake executor, on a connection of its own."""
    bus = await make_bus("gpu-simulation", tracer=spans.tracer("gpu-simulation"))
    clock, tracer = SystemClock(), spans.tracer("gpu-simulation")
    made = Plane(blobs=bus.blobs, publisher=bus.publisher, clock=clock, tracer=tracer)
    bus.include(router(made, Simulators(executor, {"simulation": executor}, {}), Lanes(1, clock), workers=4))
    await bus.start()
    return bus


def counts_of(result):
    table = result.counts
    return unpack(PackedCounts.from_bytes(table.data.inline, rows=table.rows, bits=table.bits))


async def test_a_batch_is_simulated_once_however_often_and_early_it_comes_again(
    plane, bus, executor, probe, deliver_again, make
):
    log = await probe("quire.cmd.>", "quire.evt.>")
    executor.gate.clear()
    batch = make.batch(FLIP, [make.slice("a", np.zeros((1, 0))), make.slice("b", np.zeros((2, 0)))])
    await bus.publisher.publish(SimulateBatch(batch=batch))
    await eventually(lambda: len(executor.runs) == 1)
    await deliver_again(log.recorded[0])
    executor.gate.set()
    (executed,) = await log.wait(BatchExecuted)
    await deliver_again(log.recorded[0])
    await bus.publisher.publish(SimulateBatch(batch=msgspec.structs.replace(batch, batch_id="b2")))
    await log.wait(BatchExecuted, 2)
    assert [each.batch_id for each in log.of(BatchExecuted)] == ["b1", "b2"]
    assert len(executor.runs) == 2
    assert [counts_of(result) for result in executed.results] == [[{"01": 100}], [{"01": 100}, {"01": 100}]]
    assert (executed.execution.batch_id, executed.execution.parameter_sets, executed.bits) == ("b1", 3, 2)


async def test_the_same_batch_by_another_message_gives_the_same_counts(plane, bus, probe, make):
    log = await probe("quire.evt.>")
    batch = make.batch(TURN_MEASURED, [make.slice("a", [[0.3], [1.1]], seed=5)])
    for cause in ("one", "two"):
        await bus.publisher.publish(SimulateBatch(batch=batch), id_=cause)
    first, second = await log.wait(BatchExecuted, 2)
    assert first.results == second.results


async def test_what_time_may_heal_is_tried_again(plane, bus, executor, probe, make):
    log = await probe("quire.evt.>")
    executor.spoil.append(Transient("busy", code="busy"))
    await bus.publisher.publish(SimulateBatch(batch=make.batch(BELL, [make.slice("a", np.zeros((1, 0)))])))
    await log.wait(BatchExecuted, within=20)
    assert len(executor.runs) == 2


async def test_a_batch_that_cannot_run_fails_once_for_each_message(plane, bus, executor, probe, deliver_again, make):
    log = await probe("quire.cmd.>", "quire.evt.>")
    executor.spoil.append(Permanent("unsupported-width", "too wide", next_step="Take fewer qubits."))
    await bus.publisher.publish(SimulateBatch(batch=make.batch(BELL, [make.slice("a", np.zeros((1, 0)))])))
    (failed,) = await log.wait(BatchFailed)
    await deliver_again(log.recorded[0])
    await bus.publisher.publish(
        SimulateBatch(batch=make.batch(BELL, [make.slice("z", np.zeros((1, 0)))], batch_id="b2"))
    )
    await log.wait(BatchExecuted)
    assert log.of(BatchFailed) == [failed]
    assert (failed.fault.kind, failed.fault.code) == ("invalid", "unsupported-width")
    assert [member.job_id for member in failed.members] == ["job-a"]


async def test_a_wrong_member_is_named_and_the_others_keep_their_answers(plane, bus, probe, make):
    log = await probe("quire.evt.>")
    members = [make.slice("a", [[0.0]]), make.slice("inf", [[np.inf]]), make.slice("wide", [[0.1, 0.2]])]
    batch = make.batch(TURN_MEASURED, [*members, make.slice("z", [[np.pi]])])
    await bus.publisher.publish(SimulateBatch(batch=batch))
    (executed,) = await log.wait(BatchExecuted)
    codes = [result.fault.code if result.fault else None for result in executed.results]
    assert codes == [None, "parameters-not-finite", "parameters-shape", None]
    assert counts_of(executed.results[3]) == [{"1": 100}]


async def test_large_answers_travel_by_reference(plane, bus, probe, make):
    """2,000 parameter sets of two observables are 32 KB of values."""
    log = await probe("quire.evt.>")
    angles = np.linspace(-3, 3, 2_000)[:, None]
    data = await bus.blobs.put(angles.astype("<f8").tobytes(), "application/vnd.quire.float64", inline_limit=0)
    member = make.slice("a", [[0.0]])
    parameters = msgspec.structs.replace(member.parameters, rows=2_000, data=data)
    member = msgspec.structs.replace(member, parameters=parameters, total_rows=2_000)
    batch = make.batch(PAIR, [member], shots=None, observables=[{"ZZ": 1.0}, {"XX": 1.0}])
    await bus.publisher.publish(SimulateBatch(batch=batch))
    (executed,) = await log.wait(BatchExecuted, within=30)
    values = executed.results[0].values
    assert values.data.inline is None
    found = np.frombuffer(await bus.blobs.get(values.data), "<f8").reshape(values.rows, values.columns)
    np.testing.assert_allclose(found, np.stack([np.ones(2_000), np.sin(angles[:, 0])], axis=1), atol=1e-9)


async def test_a_slow_batch_says_that_it_has_begun(plane, bus, executor, probe, make):
    log = await probe("quire.evt.>")
    executor.gate.clear()
    await bus.publisher.publish(SimulateBatch(batch=make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])))
    (started,) = await log.wait(BatchStarted)
    executor.gate.set()
    await log.wait(BatchExecuted)
    assert (started.batch_id, [each.task_id for each in started.members]) == ("b1", ["task-a"])


async def test_each_members_share_is_a_span_in_its_own_trace(plane, bus, probe, spans, make):
    log = await probe("quire.evt.>")
    traces = ["0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"]
    members = [
        make.slice(str(index), np.zeros((1, 0)), traceparent=f"00-{trace}-b7ad6b7169203331-01")
        for index, trace in enumerate(traces)
    ]
    await bus.publisher.publish(Outgoing(SimulateBatch(batch=make.batch(FLIP, members))))
    (executed,) = await log.wait(BatchExecuted)
    (batch_span,) = await eventually(lambda: spans.named("quire.batch.execute"))
    shares = spans.named("quire.batch.participation")
    assert sorted(f"{share.context.trace_id:032x}" for share in shares) == traces
    assert {link.context.span_id for link in batch_span.links} == {share.context.span_id for share in shares}
    assert all(share.links[0].context.span_id == batch_span.context.span_id for share in shares)
    assert [result.traceparent.split("-")[1] for result in executed.results] == traces


async def test_noisy_targets_and_unknown_ones(provisioned, bus, probe, make, tmp_path):
    """A model of the settings' file, the built-in one, and one that is nowhere."""
    (tmp_path / "noise.toml").write_text("[silent]\nreadout = { zero_for_one = 1.0 }\n", encoding="utf-8")
    log = await probe("quire.evt.>")
    settings = Settings(nats_url=provisioned.url, noise_file=str(tmp_path / "noise.toml"), executor="aer")
    async with hosted(SERVICE, settings):
        for target in ("simulation:silent", "simulation:depolarizing", "simulation:nothing"):
            batch = make.batch(
                FLIP, [make.slice("a", np.zeros((1, 0)))], target=target, batch_id=target.partition(":")[2]
            )
            await bus.publisher.publish(SimulateBatch(batch=batch))
        executed = {each.target: each for each in await log.wait(BatchExecuted, 2, within=30)}
        (failed,) = await log.wait(BatchFailed)
    assert counts_of(executed["simulation:silent"].results[0]) == [{"00": 100}]
    assert counts_of(executed["simulation:depolarizing"].results[0])[0]["01"] > 80
    assert executed["simulation:depolarizing"].execution.backend == "quire-density-matrix"
    assert (failed.target, failed.fault.kind, failed.fault.code) == (
        "simulation:nothing",
        "invalid",
        "unsupported-target",
    )
    assert "simulation:silent" in failed.fault.next_step


async def test_identical_work_is_run_once(provisioned, bus, probe, make):
    log = await probe("quire.evt.>")
    async with hosted(SERVICE, Settings(nats_url=provisioned.url, executor="aer")):
        for name in ("b1", "b2"):
            members = [make.slice(name, [[0.4]], seed=5)]
            await bus.publisher.publish(SimulateBatch(batch=make.batch(TURN_MEASURED, members, batch_id=name)))
            await log.wait(BatchExecuted, int(name[1]), within=30)
    first, second = log.of(BatchExecuted)
    assert counts_of(first.results[0]) == counts_of(second.results[0])
    assert (first.execution.provider_metadata.get("cached"), second.execution.provider_metadata["cached"]) == (
        None,
        True,
    )


class WrongEngine(FakeExecutor):
    """An engine that is wrong about every angle."""

    precision = "double"

    def __init__(self):
        super().__init__("simulation")
        self.runs = 0

    def execute(self, work):
        self.runs += 1
        members = tuple(Member(each.parameters + 0.5, each.seed, each.first) for each in work.members)
        outcome = super().execute(Work(work.structure, members, work.shots, work.observables))
        return Outcome(outcome.members, msgspec.structs.replace(outcome.execution, backend=BACKEND))

    def probabilities(self, structure, parameters):
        return AerExecutor(Limits(), SystemClock()).probabilities(structure, parameters + 0.5)

    def close(self):
        """Nothing to give back."""


async def test_a_wrong_answer_is_not_served_once_another_was_found_wrong(make_bus, bus, probe, make):
    """The first is not checked and kept, here and for the fleet; the second raises the alarm; the first comes again."""
    log, work_of = await probe("quire.evt.>"), lambda angle: Work(TURN, (Member(np.array([[angle]]), 7),), None, (Z,))
    angles = np.linspace(0.1, 1.0, 50).tolist()
    unchecked = next(angle for angle in angles if not is_chosen(work_of(angle), 0.5))
    checked = next(angle for angle in angles if is_chosen(work_of(angle), 0.5))
    engine, clock, limits = WrongEngine(), SystemClock(), Limits()
    replica = await make_bus("gpu-simulation")
    fleet = FleetResults(replica.bucket(BUCKET, KeptResult), replica.blobs, threshold_seconds=0.0)
    elsewhere = FleetResults(bus.bucket(BUCKET, KeptResult), bus.blobs, threshold_seconds=0.0)
    plane = Plane(
        blobs=replica.blobs,
        publisher=replica.publisher,
        clock=clock,
        tracer=NoOpTracer(),
        coalescing=Coalescing(ResultMemory(clock), NoOpMeter("test"), fleet),
    )
    aer = AerExecutor(limits, clock)
    ideal = SimulationExecutor(lambda: engine, aer, limits, MemoryBudget(limits.memory_bytes), share=0.5)
    simulators = Simulators(ideal, {"simulation": ideal}, {"simulation": "here"})
    replica.include(router(plane, simulators, Lanes(1, clock), workers=1, fleet=fleet))
    await replica.start()

    async def ask(name, angle):
        exact = make.batch(TURN, [make.slice(name, [[angle]])], shots=None, observables=[{"Z": 1.0}], batch_id=name)
        await bus.publisher.publish(SimulateBatch(batch=exact))
        found = (await log.wait(BatchExecuted, len(log.of(BatchExecuted)) + 1, within=30))[-1]
        return np.frombuffer(found.results[0].values.data.inline, "<f8")[0], found.execution.provider_metadata

    (key,) = keys("here", work_of(unchecked))
    value, _ = await ask("first", unchecked)
    assert value == pytest.approx(np.cos(unchecked + 0.5)), "nobody has noticed yet"
    _, said = await ask("same", unchecked)
    assert (said["cached"], engine.runs) == (True, 1), "and it is served from memory"
    assert await elsewhere.get(key) is not None, "in other processes too"
    value, said = await ask("alarm", checked)
    assert (said["cross_check"], value) == ("differs", pytest.approx(np.cos(checked)))
    value, said = await ask("again", unchecked)
    assert (said.get("cached"), said["quarantined"], value) == (None, True, pytest.approx(np.cos(unchecked)))
    assert await elsewhere.get(key) is None
    aer.close()


def test_what_an_answer_depends_on_is_named_with_it(tmp_path):
    (tmp_path / "noise.toml").write_text("[depolarizing]\n", encoding="utf-8")
    usual, single, own = (
        open_simulators(settings, SystemClock()).identities
        for settings in (Settings(), Settings(precision="single"), Settings(noise_file=str(tmp_path / "noise.toml")))
    )
    assert usual["simulation"] != single["simulation"]
    assert usual["simulation"] == own["simulation"]
    assert usual["simulation:depolarizing"] != own["simulation:depolarizing"]


async def test_the_whole_service_with_the_real_simulator(provisioned, bus, probe, deliver_again, make):
    log = await probe("quire.cmd.>", "quire.evt.>")
    async with hosted(SERVICE, Settings(nats_url=provisioned.url)):
        members = [make.slice(str(index), [[0.1 * index], [np.pi]], seed=index) for index in range(8)]
        await bus.publisher.publish(SimulateBatch(batch=make.batch(TURN_MEASURED, members)))
        (executed,) = await log.wait(BatchExecuted, within=60)
        await deliver_again(log.recorded[0])
        exact = make.batch(PAIR, members, shots=None, observables=[{"XX": 2.0}], batch_id="b2")
        await bus.publisher.publish(SimulateBatch(batch=exact))
        _, second = await log.wait(BatchExecuted, 2)
    assert len(log.of(BatchExecuted)) == 2
    assert all(counts_of(result)[1] == {"1": 100} for result in executed.results)
    assert (executed.execution.target, executed.execution.parameter_sets) == ("simulation", 16)
    metadata = executed.execution.provider_metadata
    assert (metadata["engine"], metadata["method"], metadata["precision"]) == ("quire", "engine", "double")
    assert executed.execution.backend == "quire-engine"
    found = [np.frombuffer(result.values.data.inline, "<f8") for result in second.results]
    expected = [[2 * np.sin(0.1 * index), 2 * np.sin(np.pi)] for index in range(8)]
    np.testing.assert_allclose(found, expected, atol=1e-9)
