"""Emulators as processes, and the real client libraries pointed at them."""

import json

import boto3
import httpx
import pytest
from botocore.config import Config
from braket.aws import AwsSession

from quire_emulator.configuration import GARNET
from quire_emulator.process import EmulatorProcess
from quire_testing import eventually

BUCKET = "amazon-braket-emulated"
CLOUD = f"""
[[devices]]
name = "Garnet"
arn = "{GARNET}"
provider = "IQM"
layout = "grid"
qubits = 20
max_shots = 20000
task_price = 0.3
shot_price = 0.00145

[[devices]]
name = "Forte-1"
arn = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"
provider = "IonQ"
qubits = 36
counts_only = true

[[devices]]
name = "SV1"
arn = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
provider = "Amazon Braket"
simulator = true
qubits = 34

[[devices]]
name = "Slow"
arn = "arn:aws:braket:eu-north-1::device/qpu/iqm/Slow"
provider = "IQM"
qubits = 4
wait = [3600.0, 3600.0]
max_unfinished = 3

[[devices]]
name = "Dear"
arn = "arn:aws:braket:eu-north-1::device/qpu/iqm/Dear"
provider = "IQM"
qubits = 4
task_price = 100.0

[[devices]]
name = "Away"
arn = "arn:aws:braket:eu-north-1::device/qpu/iqm/Away"
provider = "IQM"
qubits = 4
maintenance = [{{ after = 0.0, lasts = 1e9 }}]

[[devices]]
name = "ibm_manila"
api = "jobs"
model = "manila"
qubits = 5

[[devices]]
name = "ibm_slow"
api = "jobs"
model = "manila"
qubits = 5
wait = [3600.0, 3600.0]

[[spending_limits]]
device = "arn:aws:braket:eu-north-1::device/qpu/iqm/Dear"
amount = 150.0
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    file = tmp_path_factory.mktemp("cloud") / "cloud.toml"
    file.write_text(CLOUD, "utf-8")
    return file


@pytest.fixture(scope="module")
def cloud(config, tmp_path_factory):
    with EmulatorProcess(tmp_path_factory.mktemp("emulator"), config=config, seed=7) as emulator:
        yield emulator


@pytest.fixture
def emulator(cloud):
    """The module's cloud without the faults of the test before."""
    cloud.disarm()
    yield cloud
    cloud.disarm()


@pytest.fixture(scope="session")
def boto():
    """One session with dummy credentials: it reads botocore's models once, and none of this machine's settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", "/nowhere")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield boto3.Session("AKIDEMULATED", "secret", region_name="eu-north-1")


@pytest.fixture
def endpoints(emulator, monkeypatch):
    """Both services' addresses for every client that the SDK makes by itself."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", f"{emulator.url}/braket")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"{emulator.url}/s3")


@pytest.fixture
def session(boto, endpoints):
    return AwsSession(boto_session=boto, default_bucket=BUCKET)


@pytest.fixture
def client_of(boto):
    """`client_of(emulator, read_timeout=...)` gives a client that asks once."""

    def make(emulator, read_timeout=5.0):
        config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout, connect_timeout=5.0)
        return boto.client("braket", endpoint_url=f"{emulator.url}/braket", config=config)

    return make


@pytest.fixture
def braket(client_of, emulator):
    return client_of(emulator)


@pytest.fixture
def http(emulator):
    with httpx.Client(base_url=emulator.url, timeout=5.0) as client:
        yield client


BELL = "OPENQASM 3.0;\nqubit[2] q;\nbit[2] c;\nh q[0];\ncnot q[0], q[1];\nc = measure q;\n"
BELL_3 = BELL.replace("OPENQASM 3.0;", 'OPENQASM 3.0;\ninclude "stdgates.inc";').replace("cnot", "cx")


@pytest.fixture
def order():
    """`order(token, ...)` gives CreateQuantumTask's arguments."""

    def make(token, device=GARNET, source=BELL, shots=10, **more):
        header = {"name": "braket.ir.openqasm.program", "version": "1"}
        return {
            "clientToken": token, "deviceArn": device, "shots": shots, "outputS3Bucket": BUCKET,
            "outputS3KeyPrefix": "pre/fix",
            "action": json.dumps({"braketSchemaHeader": header, "source": source}), **more,
        }  # fmt: skip

    return make


@pytest.fixture
def ended():
    """`await ended(braket, arn)` gives the task once it is over."""

    async def wait(braket, arn):
        def over():
            task = braket.get_quantum_task(quantumTaskArn=arn)
            return task if task["status"] in {"COMPLETED", "FAILED", "CANCELLED"} else None

        return await eventually(over)

    return wait


@pytest.fixture
def result(emulator, http):
    """`result(task)` gives the HTTP answer for its result object."""
    return lambda task: http.get(f"/s3/{task['outputS3Bucket']}/{task['outputS3Directory']}/results.json")


@pytest.fixture
def pub():
    """`pub(...)` gives the body of a new job of the jobs API."""

    def make(source=BELL_3, values=None, shots=10, backend="ibm_manila", tags=("quire-1",)):
        params = {"pubs": [[source, values, shots]], "version": 2}
        return {"program_id": "sampler", "backend": backend, "params": params, "tags": list(tags)}

    return make
