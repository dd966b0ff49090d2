"""An emulated Amazon for the Braket adapter: its devices, how it is opened, and what is asked of it.

The emulator stands in for Amazon: signatures are not checked, devices are ideal, and queues are as short as configured.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from quire_emulator.entries import Applied
from quire_quantum.executor import Member, Work
from quire_quantum_gateway.providers.aws_provider import AwsProvider
from quire_quantum_gateway.providers.aws_service import AwsSettings
from quire_resilience.clock import SystemClock
from quire_testing import eventually
from quire_testing.executor_suite import BELL, TURN_MEASURED

CLOUD = """
[[devices]]
name = "Garnet"
arn = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
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
maintenance = [{ after = 0.0, lasts = 1e9 }]

[[spending_limits]]
device = "arn:aws:braket:eu-north-1::device/qpu/iqm/Dear"
amount = 150.0
"""


DEVICES = {
    "garnet": "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet",
    "forte": "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1",
    "sv1": "arn:aws:braket:::device/quantum-simulator/amazon/sv1",
    "slow": "arn:aws:braket:eu-north-1::device/qpu/iqm/Slow",
    "dear": "arn:aws:braket:eu-north-1::device/qpu/iqm/Dear",
    "away": "arn:aws:braket:eu-north-1::device/qpu/iqm/Away",
}


def opened(cloud, **settings):
    given = {
        "devices": DEVICES,
        "endpoint_url": f"{cloud.url}/braket",
        "s3_endpoint_url": f"{cloud.url}/s3",
        "bucket": "amazon-braket-emulated",
        "seconds": 10.0,
    }
    return AwsProvider(AwsSettings(**{**given, **settings}), SystemClock())


def since():
    return datetime.now(UTC) - timedelta(minutes=1)


def angles(*values):
    return Member(np.array(values, dtype=float).reshape(-1, 1))


TURNS = Work(TURN_MEASURED, (angles(0.0, np.pi), angles(np.pi)), 50)


ONE = Work(BELL, (Member(np.zeros((1, 0))),), 20)


async def run(provider, backend, work, token):
    job = provider.submit(backend, work, token)
    await eventually(lambda: provider.status(job) not in ("queued", "running"))
    return provider.retrieve(backend, work, job)


def created(emulator, token):
    """The tasks that the cloud made for a token, by its own ledger."""
    return [
        entry
        for entry in emulator.entries()
        if isinstance(entry, Applied) and entry.order.tags.get("quire-token") == token
    ]
