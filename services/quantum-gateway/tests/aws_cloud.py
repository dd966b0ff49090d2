"""An emulated Amazon for the Braket adapter: how it is opened, and what it was asked.

The emulator stands in for Amazon: signatures are not checked, devices are ideal, and queues are as short as configured.
"""

from __future__ import annotations

from quire_emulator.entries import Applied
from quire_quantum_gateway.providers.aws_provider import AwsProvider
from quire_quantum_gateway.providers.aws_service import AwsSettings
from quire_resilience.clock import SystemClock
from quire_testing.clouds import ARNS


def opened(cloud, **settings):
    given = {
        "devices": ARNS,
        "endpoint_url": f"{cloud.url}/braket",
        "s3_endpoint_url": f"{cloud.url}/s3",
        "bucket": "amazon-braket-emulated",
        "seconds": 10.0,
    }
    return AwsProvider(AwsSettings(**{**given, **settings}), SystemClock())


def created(emulator, token):
    """The tasks that the cloud made for a token, by its own ledger."""
    return [
        entry
        for entry in emulator.entries()
        if isinstance(entry, Applied) and entry.order.tags.get("quire-token") == token
    ]
