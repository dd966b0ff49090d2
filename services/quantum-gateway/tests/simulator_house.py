"""One gateway with a fake simulator on a real broker, and what it leaves behind there."""

from __future__ import annotations

import math
import threading

from quire_quantum.counts import PackedCounts, unpack
from quire_quantum.executor import Capabilities
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum_gateway.journal import KIND, Submission
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.local_jobs import LocalJobs
from quire_quantum_gateway.providers.port import Quote
from quire_quantum_gateway.sites import Site


class FakeProvider:
    """The fake executor behind the provider port; counts its submissions, and can hold them or spoil them."""

    name = "qiskit"

    def __init__(self):
        self.runs = []
        self.gate = threading.Event()
        self.gate.set()
        self.spoil = None
        self.identity_now = None
        self._jobs = LocalJobs()
        self._executor = FakeExecutor("qiskit:aer")

    def discover(self):
        return [self.capabilities("aer")]

    def capabilities(self, backend):
        return Capabilities(target=f"qiskit:{backend}", max_qubits=12, exact=True)

    def site(self, backend):
        return Site(self.name, "local", "local", backend)

    def identity_mode(self, backend):
        return "forgetful"

    def identity(self, backend):
        return self.identity_now

    def refresh(self):
        return ()

    def snapshots(self):
        return {}

    def cost(self, backend, work):
        return Quote()

    def submit(self, backend, work, token, *, deadline=math.inf):
        return self._jobs.accept(f"{token}-{len(self.runs)}", lambda: self._run(work))

    def status(self, job_id):
        return self._jobs.status(job_id)

    def cancel(self, job_id):
        self._jobs.cancel(job_id)

    def retrieve(self, backend, work, job_id):
        return self._jobs.result(job_id)

    def classify(self, error):
        return faults.classify(error, faults.load("qiskit")).fault

    def _run(self, work):
        self.runs.append(work)
        self.gate.wait(20)
        if self.spoil is not None:
            error, self.spoil = self.spoil, None
            raise error
        return self._executor.execute(work)


class SimulatorHouse:
    """Starts gateways with the fake `provider`, each on a connection of its own; `gateway` is the fixture's."""

    def __init__(self, gateway):
        self.provider, self._gateway = FakeProvider(), gateway

    async def start(self):
        return await self._gateway(self.provider, workers=4)


def counts_of(result):
    table = result.counts
    return unpack(PackedCounts.from_bytes(table.data.inline, rows=table.rows, bits=table.bits))


async def journal_of(bus, batch_id="b1"):
    return (await bus.records(KIND, Submission).get("shared", batch_id)).value
