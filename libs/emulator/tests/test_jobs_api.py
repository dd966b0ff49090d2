"""The jobs API with tags and without, over plain HTTP and through Qiskit Runtime's own client."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit_ibm_runtime import IBMRuntimeError, QiskitRuntimeService, SamplerV2
from qiskit_ibm_runtime.executor_sampler import Sampler

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
def service(emulator, monkeypatch):
    """The real service; only IBM's search for the account's instances is left out, by its own switch."""
    monkeypatch.setenv("IAM_URL", f"{emulator.url}/iam")
    monkeypatch.setenv("QISKIT_FUNCTIONS_EXPERIMENTAL", "1")
    return QiskitRuntimeService(
        channel="ibm_quantum_platform", token="k" * 44, url=emulator.url, url_resolver=lambda url, *_: f"{url}/ibm/v1",
        instance="crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::",
    )  # fmt: skip


def _mirror():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.x(1)
    circuit.measure_all()
    return circuit


def test_the_runtime_service_reads_backends(service):
    assert {backend.name for backend in service.backends()} == {"ibm_manila", "ibm_slow"}
    backend = service.backend("ibm_manila")
    status = backend.status()
    assert (status.operational, status.status_msg, backend.num_qubits) == (True, "active", 5)
    assert 0 < backend.properties().readout_error(0) < 0.5


@pytest.mark.filterwarnings("ignore:The SamplerV2 class is deprecated:DeprecationWarning")
async def test_the_runtime_s_sampler_runs_circuits_and_its_service_finds_them_by_tag(service):
    backend = service.backend("ibm_manila")
    sampler = SamplerV2(mode=backend, options={"environment": {"job_tags": ["quire-runtime"]}})
    job = sampler.run([transpile(_mirror(), backend, seed_transpiler=1)], shots=20)
    assert job.result(poll_interval=0.1)[0].data.meas.get_counts() == {"10": 20}
    since = datetime.now().astimezone() - timedelta(minutes=5)
    (found,) = service.jobs(job_tags=["quire-runtime"], created_after=since, backend_name="ibm_manila")
    assert (found.job_id(), found.status(), found.tags) == (job.job_id(), "DONE", ["quire-runtime"])


async def test_the_runtime_s_new_sampler_runs_circuits_with_arrays_of_arguments(service):
    backend = service.backend("ibm_manila")
    turned, angle = QuantumCircuit(2), Parameter("angle")
    turned.rx(angle, 0)
    turned.measure_all()
    turned = transpile(turned, backend, seed_transpiler=1, optimization_level=0)
    job = Sampler(mode=backend).run([(turned, [[0.0], [np.pi]]), transpile(_mirror(), backend)], shots=20)
    first, second = job.result(poll_interval=0.1)
    assert [first.data.meas.get_counts(row) for row in range(2)] == [{"00": 20}, {"01": 20}]
    assert second.data.meas.get_counts() == {"10": 20}


@pytest.mark.filterwarnings("ignore:The SamplerV2 class is deprecated:DeprecationWarning")
async def test_the_runtime_s_job_is_cancelled(service):
    backend = service.backend("ibm_slow")
    job = SamplerV2(mode=backend).run([transpile(_mirror(), backend, seed_transpiler=1)], shots=20)
    assert job.status() == "QUEUED"
    job.cancel()
    assert job.status() == "CANCELLED"


@pytest.mark.filterwarnings("ignore:The SamplerV2 class is deprecated:DeprecationWarning")
def test_the_runtime_s_errors_carry_the_code(emulator, service):
    backend = service.backend("ibm_manila")
    emulator.arm(Rule(kind="refused", status=400, code="3458", message="too many pending jobs"))
    with pytest.raises(IBMRuntimeError, match=r'"code":3458'):
        SamplerV2(mode=backend).run([transpile(_mirror(), backend, seed_transpiler=1)], shots=20)
