"""Every fault, seen from outside by a client that asks once, and in the ledger."""

import json

import httpx
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from quire_emulator.configuration import FORTE, GARNET
from quire_emulator.rules import Rule
from quire_testing import eventually


def _jobs(emulator, token):
    return [job for job in emulator.control("GET", "jobs") if job["token"] == token]


def _refusal(call, *arguments, **named):
    with pytest.raises(ClientError) as refused:
        call(*arguments, **named)
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["ResponseMetadata"]


def test_throttle_says_when_to_come_back_and_happens_so_often(emulator, braket, order):
    emulator.arm(Rule(kind="throttle", count=2, retry_after=7.0))
    for turn in range(2):
        status, code, answer = _refusal(braket.create_quantum_task, **order(f"throttled-{turn}"))
        assert (status, code, answer["HTTPHeaders"]["retry-after"]) == (429, "ThrottlingException", "7")
        assert _jobs(emulator, f"throttled-{turn}") == []
    assert braket.create_quantum_task(**order("throttled-2"))["quantumTaskArn"]


def test_offline_refuses_and_is_seen_by_the_free_call(emulator, braket, order):
    emulator.arm(Rule(kind="offline", device="*Garnet"))
    assert braket.get_device(deviceArn=GARNET)["deviceStatus"] == "OFFLINE"
    assert braket.get_device(deviceArn=FORTE)["deviceStatus"] == "ONLINE"
    assert _refusal(braket.create_quantum_task, **order("offline"))[:2] == (424, "DeviceOfflineException")
    emulator.disarm()
    assert braket.create_quantum_task(**order("offline"))["quantumTaskArn"]


@pytest.mark.parametrize(("status", "code"), [(500, "InternalServiceException"), (503, "ServiceUnavailable")])
def test_error_applies_nothing(emulator, braket, order, status, code):
    emulator.arm(Rule(kind="error", status=status))
    assert _refusal(braket.create_quantum_task, **order(f"error-{status}"))[:2] == (status, code)
    assert _jobs(emulator, f"error-{status}") == []


def test_refused_says_what_the_rule_says(emulator, braket, order):
    emulator.arm(Rule(kind="refused", status=403, code="ExpiredTokenException", message="expired"))
    assert _refusal(braket.create_quantum_task, **order("refused"))[:2] == (403, "ExpiredTokenException")


def test_an_answer_that_never_comes_leaves_the_job_behind(emulator, client_of, order):
    emulator.arm(Rule(kind="timeout-applied", count=1))
    impatient = client_of(emulator, read_timeout=0.3)
    with pytest.raises(ReadTimeoutError):
        impatient.create_quantum_task(**order("unanswered"))
    (job,) = _jobs(emulator, "unanswered")
    again = impatient.create_quantum_task(**order("unanswered"))
    assert again["quantumTaskArn"].endswith(job["id"])
    assert emulator.report(["unanswered"]).lost == ()


def test_a_connection_may_break_off_after_applying(emulator, braket, order):
    emulator.arm(Rule(kind="timeout-applied", answer="cut", count=1))
    with pytest.raises(ConnectionClosedError):
        braket.create_quantum_task(**order("cut"))
    assert len(_jobs(emulator, "cut")) == 1


def test_a_gateway_in_front_may_answer_instead(emulator, braket, order):
    emulator.arm(Rule(kind="lost", answer="504", count=1))
    assert _refusal(braket.create_quantum_task, **order("gateway"))[0] == 504
    assert _jobs(emulator, "gateway") == []
    assert emulator.report(["gateway"]).lost == ("gateway",)


async def test_late_is_applied_after_all(emulator, braket, order):
    emulator.arm(Rule(kind="late", answer="cut", delay=0.2, count=1))
    with pytest.raises(ConnectionClosedError):
        braket.create_quantum_task(**order("late"))
    assert _jobs(emulator, "late") == []
    assert len(await eventually(lambda: _jobs(emulator, "late"))) == 1


async def test_late_and_called_again_is_applied_once_by_its_token(emulator, braket, order):
    emulator.arm(Rule(kind="late", answer="cut", delay=0.1, count=1))
    with pytest.raises(ConnectionClosedError):
        braket.create_quantum_task(**order("later"))
    braket.create_quantum_task(**order("later"))

    def kept():
        return [line for line in emulator.entries() if getattr(line, "operation", "") == "late"]

    (line,) = await eventually(kept)
    assert line.again
    assert len(_jobs(emulator, "later")) == 1


async def test_late_and_called_again_is_doubled_where_there_is_no_token(emulator, http, pub):
    """This is what a tag cannot prevent, and what the checker is for."""
    emulator.arm(Rule(kind="late", answer="cut", delay=0.1, count=1))
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/ibm/v1/jobs", json=pub(tags=["quire-doubled"]))
    http.post("/ibm/v1/jobs", json=pub(tags=["quire-doubled"]))
    await eventually(lambda: http.get("/ibm/v1/jobs?tags=quire-doubled").json()["count"] == 2)
    (doubled,) = emulator.report(prefix="quire-doubled").doubled
    assert (doubled.identity, len(doubled.jobs)) == ("quire-doubled", 2)


async def test_a_partial_result_has_fewer_shots(emulator, braket, order, ended, result):
    emulator.arm(Rule(kind="partial", share=0.3))
    task = await ended(braket, braket.create_quantum_task(**order("partial"))["quantumTaskArn"])
    assert (task["status"], task["numSuccessfulShots"]) == ("COMPLETED", 3)
    assert len(result(task).json()["measurements"]) == 3


async def test_a_partial_program_set_names_what_failed(emulator, braket, order, ended, result):
    emulator.arm(Rule(kind="partial", share=0.5))
    program = {"braketSchemaHeader": {"name": "braket.ir.openqasm.program", "version": "1"}}
    programs = [program | {"source": "OPENQASM 3.0; qubit q; x q;"}] * 4
    header = {"name": "braket.ir.openqasm.program_set", "version": "1"}
    body = {"action": json.dumps({"braketSchemaHeader": header, "programs": programs})}
    task = await ended(braket, braket.create_quantum_task(**order("set", shots=40) | body)["quantumTaskArn"])
    found = result(task).json()
    failed = ["failureMetadata" in each["executableResults"][0] for each in found["programResults"]]
    assert (failed, found["taskMetadata"]["totalFailedExecutables"]) == ([False, False, True, True], 2)


async def test_a_result_may_be_withheld_for_a_while(emulator, braket, order, ended, result):
    emulator.arm(Rule(kind="withheld", delay=0.3))
    task = await ended(braket, braket.create_quantum_task(**order("withheld"))["quantumTaskArn"])
    assert (task["status"], result(task).status_code) == ("COMPLETED", 404)
    await eventually(lambda: result(task).status_code == 200)


async def test_a_job_may_fail(emulator, braket, order, ended):
    emulator.arm(Rule(kind="failed", message="the ion chain was lost"))
    task = await ended(braket, braket.create_quantum_task(**order("failed"))["quantumTaskArn"])
    assert (task["status"], task["failureReason"]) == ("FAILED", "the ion chain was lost")


async def test_a_search_may_lag_behind(emulator, http, pub):
    emulator.arm(Rule(kind="lagging-search", delay=0.3))
    made = http.post("/ibm/v1/jobs", json=pub(tags=["quire-lags"])).json()["id"]
    assert http.get("/ibm/v1/jobs?tags=quire-lags").json()["jobs"] == []
    assert http.get(f"/ibm/v1/jobs/{made}").status_code == 200
    await eventually(lambda: http.get("/ibm/v1/jobs?tags=quire-lags").json()["count"] == 1)


def test_a_job_may_wait_longer(emulator, braket, order):
    emulator.arm(Rule(kind="waits", delay=3600.0))
    arn = braket.create_quantum_task(**order("waits"))["quantumTaskArn"]
    assert braket.get_quantum_task(quantumTaskArn=arn)["status"] == "QUEUED"
    braket.cancel_quantum_task(quantumTaskArn=arn)


def test_a_fault_meets_the_operations_it_names(emulator, braket, order):
    arn = braket.create_quantum_task(**order("named"))["quantumTaskArn"]
    emulator.arm(Rule(kind="throttle", operations=frozenset({"get", "search"})))
    assert _refusal(braket.get_quantum_task, quantumTaskArn=arn)[0] == 429
    assert _refusal(braket.search_quantum_tasks, filters=[])[0] == 429
    assert braket.create_quantum_task(**order("named"))["quantumTaskArn"] == arn


def test_a_cancel_may_happen_without_an_answer(emulator, braket, order):
    emulator.arm(Rule(kind="waits", delay=3600.0))
    arn = braket.create_quantum_task(**order("cancel"))["quantumTaskArn"]
    emulator.arm(Rule(kind="timeout-applied", answer="cut", operations=frozenset({"cancel"}), count=1))
    with pytest.raises(ConnectionClosedError):
        braket.cancel_quantum_task(quantumTaskArn=arn)
    assert braket.get_quantum_task(quantumTaskArn=arn)["status"] == "CANCELLED"


def test_the_ledger_counts_what_happened(emulator, braket, order):
    before = emulator.report().faults.get("throttle", 0)
    (rule,) = emulator.arm(Rule(kind="throttle", count=1))
    _refusal(braket.create_quantum_task, **order("counted"))
    assert emulator.report().faults["throttle"] == before + 1
    (shown,) = emulator.control("GET", "faults")
    assert (shown["id"], shown["happened"]) == (rule, 1)


def test_a_rule_with_a_mistake_is_refused(emulator):
    for wrong in ({"kind": "nonsense"}, {"kind": "lost", "rat": 0.5}):
        with pytest.raises(RuntimeError, match="400"):
            emulator.control("POST", "faults", wrong)
