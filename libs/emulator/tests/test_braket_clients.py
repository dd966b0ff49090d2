"""The Braket API as the real SDK and botocore see it."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.exceptions import ClientError
from braket.aws import AwsDevice, AwsQuantumTask
from braket.circuits import Circuit, FreeParameter, Observable
from braket.program_sets import CircuitBinding, ProgramSet

from quire_emulator.configuration import FORTE, GARNET, SV1
from quire_testing.clouds import ARNS

SLOW, DEAR, AWAY = ARNS["slow"], ARNS["dear"], ARNS["away"]
FEW = "arn:aws:braket:eu-north-1::device/qpu/iqm/Few"
# Tests that wait for a result are coroutines: only inside a running loop does the SDK close the loop it makes.
PLACE = ("amazon-braket-emulated", "pre/fix")


def _code(refused):
    return refused.value.response["Error"]["Code"], refused.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(("arn", "edges"), [(GARNET, 62), (FORTE, 36 * 35), (SV1, None)])
def test_the_sdk_reads_a_device_and_its_capabilities(session, arn, edges):
    device = AwsDevice(arn, aws_session=session)
    assert (device.arn, device.status, device.is_available) == (arn, "ONLINE", True)
    graph = device.topology_graph
    assert (graph.number_of_edges() if graph else None) == edges
    assert device.queue_depth().quantum_tasks["Normal"] == "0"


def test_the_sdk_finds_devices_by_their_status(session):
    names = {device.name for device in AwsDevice.get_devices(statuses=["ONLINE"], aws_session=session)}
    assert names == {"Garnet", "Forte-1", "SV1", "Slow", "Dear", "Few"}


@pytest.mark.parametrize("arn", [GARNET, FORTE, SV1])
async def test_the_sdk_runs_a_circuit_and_reads_its_result(session, arn):
    """A mirror circuit: whatever it does it undoes, and then flips one qubit."""
    circuit = Circuit().h(0).cnot(0, 1).rx(1, 0.3).rx(1, -0.3).cnot(0, 1).h(0).x(1)
    task = AwsDevice(arn, aws_session=session).run(circuit, s3_destination_folder=PLACE, shots=50, tags={"a": "b"})
    assert task.result().measurement_counts == {"01": 50}
    assert task.state() == "COMPLETED"
    assert task.metadata()["tags"] == {"a": "b"}
    assert task.metadata()["numSuccessfulShots"] == 50


async def test_a_simulator_gives_exact_results_and_a_machine_those_of_its_shots(session):
    circuit = Circuit().h(0).expectation(Observable.X(), 0)
    for arn, shots in ((SV1, 0), (GARNET, 20)):
        task = AwsDevice(arn, aws_session=session).run(circuit, s3_destination_folder=PLACE, shots=shots)
        assert task.result().values == [pytest.approx(1.0)]


async def test_a_program_set_gives_each_program_its_result(session):
    turned = CircuitBinding(Circuit().rx(0, FreeParameter("a")), input_sets={"a": [0.0, 3.141592653589793]})
    programs = ProgramSet([turned, Circuit().x(0)], shots_per_executable=10)
    task = AwsDevice(GARNET, aws_session=session).run(programs, s3_destination_folder=PLACE)
    counts = [[executed.counts for executed in program.entries] for program in task.result().entries]
    assert counts == [[{"0": 10}, {"1": 10}], [{"1": 10}]]
    assert task.metadata()["actionMetadata"]["executableCount"] == 3


async def test_a_task_is_found_again_by_its_arn_alone(session):
    task = AwsDevice(GARNET, aws_session=session).run(Circuit().x(0), s3_destination_folder=PLACE, shots=3)
    assert AwsQuantumTask(task.id, aws_session=session).result().measurement_counts == {"1": 3}


def test_a_token_is_applied_once(braket, order, emulator):
    arns = {braket.create_quantum_task(**order("once"))["quantumTaskArn"] for _ in range(3)}
    assert len(arns) == 1
    report = emulator.report(expected=["once"])
    assert report.lost == ()
    assert "once" not in {doubled.identity for doubled in report.doubled}


def test_a_token_stands_for_one_request(braket, order):
    braket.create_quantum_task(**order("stands"))
    with pytest.raises(ClientError, match="other parameters") as refused:
        braket.create_quantum_task(**order("stands", shots=11))
    assert _code(refused) == ("ValidationException", 400)


def test_a_search_finds_tasks_by_device_and_time_and_says_their_tags(braket, order):
    before = datetime.now(UTC)
    made = [braket.create_quantum_task(**order(f"page-{n}", tags={"quire-attempt": f"t{n}"})) for n in range(5)]
    filters = [
        {"name": "deviceArn", "operator": "EQUAL", "values": [GARNET]},
        {"name": "createdAt", "operator": "GTE", "values": [(before - timedelta(seconds=1)).isoformat()]},
    ]
    first = braket.search_quantum_tasks(filters=filters, maxResults=3)
    rest = braket.search_quantum_tasks(filters=filters, nextToken=first["nextToken"])
    found = [*first["quantumTasks"], *rest["quantumTasks"]]
    assert [task["quantumTaskArn"] for task in found[:5]] == [task["quantumTaskArn"] for task in made[::-1]]
    assert [task["tags"]["quire-attempt"] for task in found[:5]] == ["t4", "t3", "t2", "t1", "t0"]
    filters[1]["values"] = [(before + timedelta(hours=1)).isoformat()]
    assert braket.search_quantum_tasks(filters=filters)["quantumTasks"] == []


@pytest.mark.parametrize(("name", "operator"), [("tags", "EQUAL"), ("status", "LIKE")])
def test_a_search_knows_braket_s_filters_alone(emulator, name, operator):
    body = {"filters": [{"name": name, "operator": operator, "values": ["x"]}]}
    answer = httpx.post(f"{emulator.url}/braket/quantum-tasks", json=body)
    assert answer.headers["x-amzn-errortype"] == "ValidationException"


def test_what_waits_has_a_place_and_is_cancelled_once(braket, order):
    first, second = (braket.create_quantum_task(**order(f"wait-{n}", SLOW))["quantumTaskArn"] for n in range(2))
    task = braket.get_quantum_task(quantumTaskArn=second, additionalAttributeNames=["QueueInfo"])
    assert (task["status"], task["queueInfo"]["position"]) == ("QUEUED", "2")
    assert braket.cancel_quantum_task(quantumTaskArn=first)["cancellationStatus"] == "CANCELLED"
    task = braket.get_quantum_task(quantumTaskArn=second, additionalAttributeNames=["QueueInfo"])
    assert task["queueInfo"]["position"] == "1"
    assert braket.cancel_quantum_task(quantumTaskArn=second)["cancellationStatus"] == "CANCELLED"
    assert braket.get_quantum_task(quantumTaskArn=first)["endedAt"] >= task["createdAt"]


async def test_what_is_over_is_not_cancelled(braket, order, ended):
    arn = braket.create_quantum_task(**order("over"))["quantumTaskArn"]
    await ended(braket, arn)
    with pytest.raises(ClientError) as refused:
        braket.cancel_quantum_task(quantumTaskArn=arn)
    assert _code(refused) == ("ConflictException", 409)


def test_an_unknown_task_and_device_are_not_found(braket, order):
    for call, arn in ((braket.get_quantum_task, "quantumTaskArn"), (braket.get_device, "deviceArn")):
        with pytest.raises(ClientError) as refused:
            call(**{arn: "arn:aws:braket:eu-north-1:123456789012:quantum-task/none"})
        assert _code(refused) == ("ResourceNotFoundException", 404)
    with pytest.raises(ClientError) as refused:
        braket.create_quantum_task(**order("nowhere", "arn:aws:braket:eu-north-1::device/qpu/iqm/None"))
    assert _code(refused) == ("ValidationException", 400)


@pytest.mark.parametrize(
    ("token", "device", "shots", "code"),
    [
        ("shots", GARNET, 20_001, ("ValidationException", 400)),
        ("none", GARNET, 0, ("ValidationException", 400)),
        ("away", AWAY, 1, ("DeviceOfflineException", 424)),
    ],
)
def test_limits_are_refused_in_braket_s_words(braket, order, token, device, shots, code):
    with pytest.raises(ClientError) as refused:
        braket.create_quantum_task(**order(token, device, shots=shots))
    assert _code(refused) == code


def test_a_device_in_maintenance_says_so(braket):
    assert braket.get_device(deviceArn=AWAY)["deviceStatus"] == "OFFLINE"


def test_only_so_many_tasks_may_wait(braket, order):
    arns = [braket.create_quantum_task(**order(f"many-{n}", FEW))["quantumTaskArn"] for n in range(3)]
    with pytest.raises(ClientError) as refused:
        braket.create_quantum_task(**order("many-3", FEW))
    assert _code(refused) == ("ServiceQuotaExceededException", 402)
    for arn in arns:
        braket.cancel_quantum_task(quantumTaskArn=arn)


async def test_a_spending_limit_is_shown_and_kept(braket, order, ended):
    await ended(braket, braket.create_quantum_task(**order("dear", DEAR))["quantumTaskArn"])
    (limit,) = braket.search_spending_limits(filters=[])["spendingLimits"]
    assert (limit["deviceArn"], limit["spendingLimit"], limit["totalSpend"]) == (DEAR, "150.00", "100.00")
    with pytest.raises(ClientError, match="spending limit") as refused:
        braket.create_quantum_task(**order("too dear", DEAR))
    assert _code(refused) == ("ValidationException", 400)


async def test_a_program_that_cannot_run_fails_with_its_reason(braket, order, ended):
    arn = braket.create_quantum_task(**order("bad", source="OPENQASM 3.0; qubit q; nonsense q;"))["quantumTaskArn"]
    task = await ended(braket, arn)
    assert task["status"] == "FAILED"
    assert "nonsense" in task["failureReason"]


def test_a_program_set_that_is_not_valid_is_refused_by_its_programs(braket, order):
    program = {"braketSchemaHeader": {"name": "braket.ir.openqasm.program", "version": "1"}, "source": "x"}
    header = {"name": "braket.ir.openqasm.program_set", "version": "1"}
    programs = [program, program | {"inputs": {"a": [1.0], "b": [1.0, 2.0]}}]
    wrong = order("set") | {"action": json.dumps({"braketSchemaHeader": header, "programs": programs})}
    with pytest.raises(ClientError) as refused:
        braket.create_quantum_task(**wrong)
    assert refused.value.response["reason"] == "ProgramSetValidationFailed"
    assert [each["programIndex"] for each in refused.value.response["programSetValidationFailures"]] == [1]


def test_a_result_is_there_for_its_place_alone(result, http):
    missing = http.get("/s3/amazon-braket-emulated/pre/fix/none/results.json")
    assert (missing.status_code, "NoSuchKey" in missing.text) == (404, True)
