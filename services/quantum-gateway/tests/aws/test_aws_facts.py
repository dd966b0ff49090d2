"""What Braket says of devices, tasks and results, read without calling it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from quire_quantum.executor import Member, Work
from quire_quantum.observables import normalise
from quire_quantum.structure import Operation, Structure
from quire_quantum_gateway.providers import aws_tasks
from quire_quantum_gateway.providers.aws_device import Sets, availability, price, read_device
from quire_quantum_gateway.providers.aws_results import ExecutableFailed, Measured, failure_of, read_result, shots_of
from quire_testing.executor_suite import TURN_MEASURED

ARN = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def described(
    *, status="ONLINE", kind="QPU", sets=None, windows=(("Everyday", "00:00:00", "23:59:59"),), cost=(0.08, "shot")
):
    actions = {"braket.ir.openqasm.program": {"actionType": "braket.ir.openqasm.program", "version": ["1"]}}
    if sets is not None:
        actions["braket.ir.openqasm.program_set"] = {"maximumExecutables": sets[0], "maximumTotalShots": sets[1]}
    return {
        "deviceArn": ARN,
        "deviceType": kind,
        "deviceStatus": status,
        "deviceQueueInfo": [
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": ">4000", "queuePriority": "Normal"},
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "3", "queuePriority": "Priority"},
            {"queue": "JOBS_QUEUE", "queueSize": "9"},
        ],
        "deviceCapabilities": json.dumps(
            {
                "service": {
                    "executionWindows": [
                        {"executionDay": day, "windowStartHour": opens, "windowEndHour": closes}
                        for day, opens, closes in windows
                    ],
                    "shotsRange": [1, 10_000],
                    "deviceCost": {"price": cost[0], "unit": cost[1]},
                    "updatedAt": "2026-11-21T15:00:00+00:00",
                },
                "action": actions,
                "paradigm": {"qubitCount": 36},
            }
        ),
    }


def device(**options):
    return read_device(described(**options))


def test_a_device_is_read_from_what_the_service_says():
    found = device(sets=(100, 500_000))
    assert (found.max_qubits, found.fewest_shots, found.most_shots, found.simulator) == (36, 1, 10_000, False)
    assert found.sets == Sets(100, 500_000, 1)
    assert (found.calibration_id, found.queued) == ("2026-11-21T15:00:00+00:00", 4_003)
    assert device(kind="SIMULATOR").calibration_id == "none"


@pytest.mark.parametrize(
    ("now", "status", "is_open", "until"),
    [
        (MONDAY + timedelta(hours=10), "ONLINE", True, MONDAY + timedelta(hours=12)),
        (MONDAY + timedelta(hours=13), "ONLINE", True, MONDAY + timedelta(hours=22)),
        (MONDAY + timedelta(hours=23), "ONLINE", True, MONDAY + timedelta(hours=26)),
        (MONDAY + timedelta(hours=13), "OFFLINE", False, MONDAY + timedelta(hours=22)),
        (MONDAY + timedelta(hours=10), "OFFLINE", False, None),
        (MONDAY - timedelta(hours=30), "OFFLINE", False, MONDAY + timedelta(hours=9)),
    ],
)
def test_a_device_opens_by_its_hours(now, status, is_open, until):
    windows = (("Weekdays", "09:00:00", "12:00:00"), ("Monday", "22:00:00", "02:00:00"))
    found = availability(device(status=status, windows=windows), now)
    assert (found.open, found.until) == (is_open, until)


def test_a_device_that_never_closes_says_no_time_and_a_retired_one_never_opens():
    assert availability(device(), MONDAY).until is None
    assert availability(device(), MONDAY).queued == 4_003
    retired = availability(device(status="RETIRED"), MONDAY)
    assert (retired.open, retired.retired, retired.until) == (False, True, None)


def test_prices_are_the_devices_and_a_tasks_own():
    assert price(device(), tasks=2, shots=300, task_usd=0.3) == pytest.approx(2 * 0.3 + 300 * 0.08)
    simulator = device(kind="SIMULATOR", cost=(0.075, "minute"))
    assert price(simulator, tasks=2, shots=300, task_usd=0.3) == pytest.approx(0.15)
    assert price(simulator, tasks=2, shots=300, task_usd=0.3, seconds=90) == pytest.approx(0.1125)
    assert price(simulator, tasks=2, shots=300, task_usd=0.3, seconds=0.1) == pytest.approx(0.0075)


def work(rows, shots=100, observables=()):
    return Work(TURN_MEASURED, (Member(np.zeros((rows, 1))),), shots, observables)


def test_a_batch_is_as_few_tasks_as_the_sets_of_a_device_allow():
    planned = aws_tasks.plan(work(7), device(sets=(3, 500_000)))
    assert (planned.as_sets, [len(part) for part in planned.parts]) == (True, [3, 3, 1])
    assert [len(part) for part in aws_tasks.plan(work(7), device(sets=(100, 250))).parts] == [2, 2, 2, 1]
    for other in (device(), device(sets=(100, 150))):
        planned = aws_tasks.plan(work(2), other)
        assert (planned.as_sets, planned.parts) == (False, (((0, 0),), ((0, 1),)))
    assert not aws_tasks.plan(work(1), device(sets=(100, 10_000))).as_sets


def test_every_basis_of_every_row_is_an_executable():
    flat = Structure(2, 0, 0, (Operation("h", (0,)),))
    observed = Work(flat, (Member(np.zeros((2, 0))),), 10, (normalise({"XX": 1.0, "ZZ": 1.0}, 2),))
    planned = aws_tasks.plan(observed, device(sets=(100, 10_000)))
    assert planned.parts == (((0, 0), (0, 1), (1, 0), (1, 1)),)
    assert planned.executables == 4


def test_a_job_of_several_tasks_has_one_name():
    arns = [f"arn:aws:braket:us-east-1:123456789012:quantum-task/{name}" for name in ("a-1", "b-2", "c-3")]
    job = aws_tasks.join_arns(arns)
    assert job == f"{arns[0]},b-2,c-3"
    assert list(aws_tasks.split_arns(job)) == arns
    assert list(aws_tasks.split_arns(arns[0])) == arns[:1]


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        (["done", "done"], "done"),
        (["queued", "queued"], "queued"),
        (["done", "queued"], "running"),
        (["running", "queued"], "running"),
        (["done", "failed", "running"], "failed"),
        (["cancelled", "done"], "cancelled"),
        (["unknown", "failed"], "unknown"),
    ],
)
def test_a_job_is_as_far_as_its_tasks(statuses, whole):
    assert aws_tasks.together(statuses) == whole


def task(name, token, part, minute, status="QUEUED"):
    return {
        "quantumTaskArn": f"arn:aws:braket:us-east-1:123456789012:quantum-task/{name}",
        "deviceArn": ARN,
        "status": status,
        "createdAt": MONDAY + timedelta(minutes=minute),
        "tags": {"quire-token": token, "quire-part": part},
    }


def test_tasks_are_put_together_by_their_tags_and_one_too_many_is_a_job_of_its_own():
    tasks = [
        task("b", "t1", "2/2", 2),
        task("a", "t1", "1/2", 1, "COMPLETED"),
        task("d", "t1", "1/2", 4),
        task("c", "t2", "1/1", 0),
        {**task("x", "t1", "1/1", 0), "tags": {"other-token": "t1", "other-part": "1/1"}},
    ]
    jobs = aws_tasks.found_jobs(tasks, "quire", {ARN: "forte"})
    assert [(job.token, job.job_id.rpartition("/")[2], job.complete) for job in jobs] == [
        ("t2", "c", True),
        ("t1", "a,b", True),
        ("t1", "d", False),
    ]
    assert [(job.backend, job.status) for job in jobs] == [
        ("forte", "queued"),
        ("forte", "running"),
        ("forte", "queued"),
    ]
    assert jobs[1].created_at == MONDAY + timedelta(minutes=1)


def test_what_is_left_to_spend_is_what_the_tightest_limit_leaves_now():
    def limit(limit, total, queued, start=-1, end=1):
        period = {"startAt": MONDAY + timedelta(days=start), "endAt": MONDAY + timedelta(days=end)}
        return {"spendingLimit": limit, "totalSpend": total, "queuedSpend": queued, "timePeriod": period}

    limits = [limit("100", "20", "5.5"), limit("80", "1", "2"), limit("1", "0", "0", start=1, end=2)]
    assert aws_tasks.left_to_spend(limits, MONDAY) == pytest.approx(74.5)
    assert aws_tasks.left_to_spend([], MONDAY) == float("inf")


def header(name):
    return {"braketSchemaHeader": {"name": f"braket.task_result.{name}", "version": "1"}}


def test_a_result_of_one_program_has_its_qubits_in_the_programs_order():
    files = {
        "f/results.json": {
            **header("gate_model_task_result"),
            "measurements": [[1, 0], [1, 1]],
            "measuredQubits": [4, 2],
        }
    }
    (measured,) = read_result(lambda bucket, key: json.dumps(files[key]), "b", "f")
    assert shots_of(measured, (2, 4), 2).tolist() == [[0, 1], [1, 1]]
    with pytest.raises(ValueError, match="shape"):
        shots_of(measured, (2, 4), 3)


def test_probabilities_are_dealt_out_so_that_no_shot_is_lost():
    measured = Measured(measurement_probabilities={"11": 1 / 3, "00": 1 / 3, "01": 1 / 3}, measured_qubits=[0, 1])
    drawn = ["".join(map(str, row)) for row in shots_of(measured, (0, 1), 100).tolist()]
    assert [drawn.count(each) for each in ("00", "01", "11")] == [34, 33, 33]
    with pytest.raises(ValueError, match="add up"):
        shots_of(Measured(measurement_probabilities={"0": 0.5}), (0,), 100)


def executable(index, bit):
    return {
        **header("program_set_executable_result"),
        "inputsIndex": index,
        "measurements": [[bit]],
        "measuredQubits": [0],
    }


def test_a_set_is_read_from_one_file_or_from_many():
    inline = {
        **header("program_set_task_result"),
        "programResults": [
            {**header("program_result"), "executableResults": [executable(1, 1), executable(0, 0)], "source": "x"},
            {**header("program_result"), "executableResults": [executable(0, 1)], "source": "y"},
        ],
        "taskMetadata": {},
    }
    many = {
        "f/results.json": {**inline, "programResults": ["programs/0/results.json", "programs/1/results.json"],
                           "s3Location": ["b", "f"]},
        "f/programs/0/results.json": {**header("program_result"), "executableResults": ["e/1.json", "e/0.json"]},
        "f/programs/1/results.json": {**header("program_result"), "executableResults": ["e/0.json"]},
        "f/programs/0/e/0.json": executable(0, 0),
        "f/programs/0/e/1.json": executable(1, 1),
        "f/programs/1/e/0.json": executable(0, 1),
    }  # fmt: skip
    for files in ({"f/results.json": inline}, many):
        found = read_result(lambda bucket, key, files=files: json.dumps(files[key]), "b", "f")
        assert [each.measurements for each in found] == [[[0]], [[1]], [[1]]]


def test_an_executable_that_failed_is_not_passed_over():
    failure = {"failureReason": "laser", "retryable": True, "category": "DEVICE"}
    broken = {**header("program_set_executable_failure"), "inputsIndex": 0, "failureMetadata": failure}
    result = {
        **header("program_set_task_result"),
        "programResults": [{"executableResults": [executable(1, 1), broken]}],
    }
    broke, ran = read_result(lambda bucket, key: json.dumps(result), "b", "f")
    failure = failure_of(broke)
    assert isinstance(failure, ExecutableFailed)
    assert (failure.category, failure.retryable) == ("device", True)
    assert failure_of(ran) is None


def test_a_result_of_another_schema_is_not_guessed_at():
    with pytest.raises(LookupError, match="annealing"):
        read_result(lambda bucket, key: json.dumps(header("annealing_task_result")), "b", "f")
