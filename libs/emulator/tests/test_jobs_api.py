"""The jobs API with tags and without, over plain HTTP and through Qiskit Runtime's own client."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit_ibm_runtime import RuntimeDecoder
from qiskit_ibm_runtime.api.client import RuntimeClient
from qiskit_ibm_runtime.api.client_parameters import ClientParameters
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from quire_emulator.rules import Rule
from quire_testing import eventually


@pytest.fixture(params=["ibm", "anonymous"])
def jobs(request):
    return f"/{request.param}/v1"


async def _finished(http, path):
    return await eventually(lambda: (answer := http.get(path)).status_code == 200 and answer.json())


async def test_a_job_runs_and_its_samples_are_counted_from_bit_0(http, jobs, pub):
    source = 'OPENQASM 3.0; include "stdgates.inc"; input float t; qubit[3] q; bit[3] c; rx(t) q[0]; c = measure q;'
    for values in ([3.141592653589793], {"t": 3.141592653589793}):
        made = http.post(f"{jobs}/jobs", json=pub(source, values, shots=4)).json()
        assert made["backend"] == "ibm_manila"
        found = await _finished(http, f"{jobs}/jobs/{made['id']}/results")
        assert found["results"][0]["data"] == {"c": {"samples": ["0x1"] * 4, "num_bits": 3}}


async def test_what_the_flat_reader_does_not_know_is_run_by_qiskit(http, jobs, pub):
    source = (
        'OPENQASM 3.0; include "stdgates.inc"; gate twice a { x a; h a; h a; } '
        "qubit[2] q; bit[2] c; twice q[1]; c = measure q;"
    )
    made = http.post(f"{jobs}/jobs", json=pub(source, shots=4)).json()
    found = await _finished(http, f"{jobs}/jobs/{made['id']}/results")
    assert found["results"][0]["data"]["c"]["samples"] == ["0x2"] * 4


def test_tags_find_a_job_again_where_they_are_kept(http, pub):
    before = datetime.now(UTC) - timedelta(seconds=1)
    body = pub(tags=["quire-found", "other"])
    made = http.post("/ibm/v1/jobs", json=body).json()["id"]
    asked = {"tags": ["quire-found", "other"], "created_after": before.isoformat(), "backend": "ibm_manila"}
    (job,) = http.get("/ibm/v1/jobs", params=asked).json()["jobs"]
    assert (job["id"], job["tags"]) == (made, ["quire-found", "other"])
    assert http.get("/ibm/v1/jobs", params=asked | {"tags": ["quire-found", "none"]}).json()["jobs"] == []
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert http.get("/ibm/v1/jobs", params=asked | {"created_after": later}).json()["count"] == 0


def test_without_tags_nothing_says_whose_a_job_is(http, pub):
    made = http.post("/anonymous/v1/jobs", json=pub(tags=["quire-secret"])).json()["id"]
    listed = http.get("/anonymous/v1/jobs", params={"tags": "quire-secret"}).json()["jobs"]
    assert listed[0]["id"] == made
    assert all(job["tags"] == [] for job in listed)
    assert http.get(f"/ibm/v1/jobs/{made}").status_code == 404


def test_the_list_has_pages_and_an_order(http, pub):
    made = [http.post("/ibm/v1/jobs", json=pub(tags=["quire-page"])).json()["id"] for _ in range(3)]
    page = http.get("/ibm/v1/jobs?tags=quire-page&limit=2").json()
    assert ([job["id"] for job in page["jobs"]], page["count"]) == ([made[2], made[1]], 3)
    page = http.get("/ibm/v1/jobs?tags=quire-page&limit=2&offset=2&sort=ASC").json()
    assert [job["id"] for job in page["jobs"]] == [made[2]]


def test_what_waits_has_no_result_and_is_cancelled_once(http, jobs, pub):
    made = http.post(f"{jobs}/jobs", json=pub(backend="ibm_slow")).json()["id"]
    assert http.get(f"{jobs}/jobs/{made}/results").status_code == 204
    assert http.get(f"{jobs}/jobs/{made}").json()["status"] == "Queued"
    assert http.post(f"{jobs}/jobs/{made}/cancel").status_code == 204
    assert http.get(f"{jobs}/jobs/{made}").json()["status"] == "Cancelled"
    again = http.post(f"{jobs}/jobs/{made}/cancel")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, 1293)


async def test_a_job_that_fails_says_why(http, jobs, pub):
    made = http.post(f"{jobs}/jobs", json=pub("OPENQASM 3.0; nonsense;")).json()["id"]
    job = await eventually(lambda: (found := http.get(f"{jobs}/jobs/{made}").json())["status"] == "Failed" and found)
    assert job["state"]["reason_code"] == 9999
    assert http.get(f"{jobs}/jobs/{made}/results").status_code == 400


def test_refusals_carry_ibm_s_codes(emulator, http, jobs, pub):
    emulator.arm(Rule(kind="throttle", count=1, retry_after=3.0))
    refused = http.post(f"{jobs}/jobs", json=pub())
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["errors"][0]["code"]) == (
        429,
        "3",
        1202,
    )
    for body, status, code in (
        (pub(backend="none"), 404, 1291),
        (pub(shots=100_001), 400, 6000),
        ({"program_id": "sampler"}, 400, 1208),
    ):
        refused = http.post(f"{jobs}/jobs", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (status, code)


def test_a_backend_that_is_away_says_so(emulator, http, jobs, pub):
    assert http.get(f"{jobs}/backends/ibm_manila/status").json()["state"] is True
    emulator.arm(Rule(kind="offline", device="ibm_manila"))
    assert http.get(f"{jobs}/backends/ibm_manila/status").json()["state"] is False
    refused = http.post(f"{jobs}/jobs", json=pub())
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (503, 1004)


@pytest.fixture
def runtime(emulator, monkeypatch):
    """Qiskit Runtime's client; only the exchange of its key for a token, which is IBM Cloud's, is left out."""
    parameters = ClientParameters(
        channel="ibm_quantum_platform", token="t", url=emulator.url, instance="crn:v1:bluemix:public:quantum",
        url_resolver=lambda url, *_: f"{url}/ibm/v1",
    )  # fmt: skip
    monkeypatch.setattr(ClientParameters, "get_auth_handler", lambda _: None)
    return RuntimeClient(parameters)


def test_the_runtime_client_reads_backends(runtime):
    assert {row["name"] for row in runtime.list_backends()} == {"ibm_manila", "ibm_slow"}
    status = runtime.backend_status("ibm_manila")
    assert (status["operational"], status["status_msg"]) == (True, "active")
    assert runtime.backend_configuration("ibm_manila")["n_qubits"] == 5
    assert len(runtime.backend_properties("ibm_manila")["qubits"]) == 5


async def test_the_runtime_client_runs_circuits_and_finds_them_by_tag(runtime):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.x(1)
    circuit.measure_all()
    machine = FakeManilaV2()
    pubs = [SamplerPub.coerce(transpile(circuit, machine, seed_transpiler=1), 20)]
    inputs = {"pubs": pubs, "version": 2, "support_qiskit": True, "options": {}}
    made = runtime.program_run("sampler", "ibm_manila", inputs, None, None, None, job_tags=["quire-runtime"])
    await eventually(lambda: runtime.job_get(made["id"])["state"]["status"] == "Completed")
    result = json.loads(runtime.job_results(made["id"]), cls=RuntimeDecoder)
    assert result[0].data.meas.get_counts() == {"10": 20}
    since = datetime.now().astimezone() - timedelta(minutes=5)
    (found,) = runtime.jobs_get(job_tags=["quire-runtime"], created_after=since)["jobs"]
    assert found["id"] == made["id"]
