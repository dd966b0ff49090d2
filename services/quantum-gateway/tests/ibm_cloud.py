"""An emulated IBM for the adapter: its backends, how it is opened, and what it was asked.

Not covered, for it needs IBM's cloud: the search for the account's instances, and what only hardware refuses.
"""

from __future__ import annotations

import pytest

from quire_emulator.entries import Applied
from quire_plane.compile_cache import CompileCache
from quire_quantum_gateway.providers.ibm_account import Door, open_account
from quire_quantum_gateway.providers.ibm_backends import IbmSettings
from quire_quantum_gateway.providers.ibm_provider import IbmProvider
from quire_resilience.clock import SystemClock
from quire_testing.clouds import IBM

CLOUD = f"""{IBM}
[[devices]]
name = "ibm_restless"
api = "jobs"
model = "manila"
qubits = 5
calibration_seconds = 0.001
"""


BACKENDS = ("ibm_manila", "ibm_slow", "ibm_restless")


CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::"


def opened(url, seconds=10.0, **settings):
    door = Door(api="jobs", url=url, token="key", instance="", seconds=seconds, calls=8, longest=600)
    given = IbmSettings(backends=BACKENDS, seconds=seconds, **settings)
    return IbmProvider(given, lambda: open_account(door, SystemClock()), SystemClock(), CompileCache(64))


BY_CLIENT = pytest.mark.parametrize("client", ["provider", "library"])


def created(emulator, token):
    """The jobs that the cloud made under a token's tag, by its own ledger."""
    tag = f"quire-{token}"
    return [each for each in emulator.entries() if isinstance(each, Applied) and tag in each.order.tags]
