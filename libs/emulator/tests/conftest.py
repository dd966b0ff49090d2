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
from quire_testing.clouds import AMAZON, IBM

BUCKET = "amazon-braket-emulated"
FEW = "arn:aws:braket:eu-north-1::device/qpu/iqm/Few"
CLOUD = f"""{AMAZON}{IBM}
[[devices]]
name = "Few"
arn = "{FEW}"
provider = "IQM"
qubits = 4
wait = [3600.0, 3600.0]
max_unfinished = 3
"""


@pytest.fixture(scope="session")
def config():
    """The text of a configuration."""
    return CLOUD


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
