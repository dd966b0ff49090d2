"""A batch runs once on a real broker, however often it comes, and the journal shows by whom."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from simulator_house import SimulatorHouse, counts_of, journal_of

from quire_contracts.batch import BatchExecuted, BatchFailed, ExecuteBatch
from quire_quantum_gateway.events import Accepted
from quire_quantum_gateway.journal import KIND, Submission
from quire_quantum_gateway.submissions import Submissions, Superseded
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing import eventually
from quire_testing.executor_suite import FLIP, TURN_MEASURED


@pytest.fixture
def desk(gateway):
    return SimulatorHouse(gateway)


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
