"""One emulated jobs API for each module, and the IBM adapter before it by the small client and by IBM's library."""

from __future__ import annotations

import pytest
from ibm_cloud import BACKENDS, CLOUD, CRN, opened
from qiskit_ibm_runtime import QiskitRuntimeService

from quire_emulator.process import EmulatorProcess
from quire_plane.compile_cache import CompileCache
from quire_quantum_gateway.providers.ibm_backends import IbmSettings
from quire_quantum_gateway.providers.ibm_provider import IbmProvider
from quire_quantum_gateway.providers.ibm_runtime import RuntimeAccount
from quire_resilience.clock import SystemClock


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with EmulatorProcess(tmp_path_factory.mktemp("cloud"), config=CLOUD, seed=7) as emulator:
        yield emulator


@pytest.fixture
def make(emulator):
    """`make()`: a provider that remembers nothing, as another process would have it; settings by name."""

    def open_provider(api="ibm", **settings):
        return opened(f"{emulator.url}/{api}/v1", **settings)

    return open_provider


@pytest.fixture
def provider(make):
    return make()


@pytest.fixture
def library(emulator, monkeypatch):
    """The same provider through QiskitRuntimeService, whose keys the emulated cloud exchanges too."""
    monkeypatch.setenv("IAM_URL", f"{emulator.url}/iam")
    monkeypatch.setenv("QISKIT_FUNCTIONS_EXPERIMENTAL", "1")  # the library then asks nobody for its instances

    def service():
        return QiskitRuntimeService(
            channel="ibm_quantum_platform",
            token="k" * 44,
            url=emulator.url,
            instance=CRN,
            url_resolver=lambda url, *_: f"{url}/ibm/v1",
        )

    settings = IbmSettings(backends=BACKENDS, seconds=20.0)
    return IbmProvider(settings, lambda: RuntimeAccount(service, 600), SystemClock(), CompileCache(64))
