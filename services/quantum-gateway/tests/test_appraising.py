"""What a gateway says of work before it is sent: compiled, priced, and not run."""

from __future__ import annotations

import hashlib

import pytest

from quire_bus.errors import QueryFailed
from quire_contracts.appraisal import Appraisal, AppraiseWork
from quire_contracts.calibration import DeviceFigures
from quire_contracts.value import BlobRef
from quire_quantum.size import two_qubit_gates
from quire_quantum.structure import Angle, Operation, Structure
from quire_quantum_gateway.appraising import Appraising, fidelity_of
from quire_quantum_gateway.providers.port import Availability, Quote, Size
from quire_quantum_gateway.providers.qiskit_provider import MachineSettings, qiskit_provider
from quire_resilience.errors import Permanent
from quire_testing.clock import ManualClock

RING = Structure(
    4,
    4,
    1,
    (
        *(Operation("h", (qubit,)) for qubit in range(4)),
        *(Operation("rzz", (qubit, (qubit + 2) % 4), (Angle(0, 1.0),)) for qubit in range(2)),
        *(Operation("rzz", (qubit, (qubit + 1) % 4), (Angle(0, 1.0),)) for qubit in range(4)),
        *(Operation("measure", (qubit,), (), (qubit,)) for qubit in range(4)),
    ),
)
"""Every qubit is coupled with every other one."""


def blob(text: str) -> BlobRef:
    data = text.encode()
    return BlobRef(hashlib.sha256(data).hexdigest(), len(data), "text/plain", data)


class Inline:
    """Content that travels in its references."""

    async def get(self, ref):
        return ref.inline


class Straight:
    """Calls that are made at once."""

    def __init__(self):
        self.made = []

    async def call(self, target, operation, call):
        self.made.append((target, operation))
        return call(), 0.0


def work(target: str, rows: int = 3, structure: Structure = RING, shots: int | None = 100) -> AppraiseWork:
    return AppraiseWork(target=target, structure=blob(structure.to_text()), parameter_sets=rows, shots=shots)


@pytest.fixture
def appraising():
    """Qiskit's simulators: an ideal one, and a generic machine of five qubits with noise."""
    clock = ManualClock()
    provider = qiskit_provider(("aer", "generic_5"), MachineSettings(), clock)
    return Appraising(catalog={"qiskit": provider}, calls=Straight(), blobs=Inline(), clock=clock), clock


async def test_a_device_is_appraised_by_the_circuit_that_would_run_there(appraising):
    known, _ = appraising
    found = await known.appraise(work("qiskit:generic_5"))
    assert (found.device, found.paid, found.usd, found.circuits, found.compiled) == (True, False, 0.0, 3, True)
    assert found.two_qubit_gates >= two_qubit_gates(RING) == 6
    figures = known.catalog["qiskit"].snapshots()["generic_5"].figures
    assert found.fidelity == fidelity_of(figures, found.two_qubit_gates, 4)
    assert 0.5 < found.fidelity < 1.0
    assert found.calibration_id != "none"


async def test_an_ideal_simulator_is_neither_a_device_nor_compiled_for(appraising):
    known, _ = appraising
    pair = Structure(2, 2, 0, (Operation("cx", (0, 1)), *(Operation("measure", (q,), (), (q,)) for q in range(2))))
    found = await known.appraise(work("qiskit:aer", structure=pair))
    assert isinstance(found, Appraisal)
    assert (found.device, found.paid, found.fidelity, found.compiled) == (False, False, 1.0, False)
    assert (found.two_qubit_gates, found.depth) == (1, 2)


async def test_the_same_question_is_looked_up_again_only_after_a_while(appraising):
    known, clock = appraising
    first = await known.appraise(work("qiskit:aer"))
    assert await known.appraise(work("qiskit:aer")) is first
    assert known.calls.made == [("qiskit:aer", "describe")]
    clock.advance(31.0)
    assert await known.appraise(work("qiskit:aer")) == first
    assert len(known.calls.made) == 2


async def test_what_can_never_run_there_is_refused_with_the_reason(appraising):
    known, _ = appraising
    wide = Structure(6, 6, 0, tuple(Operation("measure", (qubit,), (), (qubit,)) for qubit in range(6)))
    with pytest.raises(Permanent, match="6 qubits"):
        await known.appraise(work("qiskit:generic_5", structure=wide))
    with pytest.raises(Permanent):
        await known.appraise(work("nobody:x"))


@pytest.mark.parametrize(
    ("figures", "gates", "read", "fidelity"),
    [
        (DeviceFigures(two_qubit_error=0.01, readout_error=0.02), 10, 5, 0.99**10 * 0.98**5),
        (DeviceFigures(two_qubit_error=0.01), 10, 5, 0.99**10),
        (DeviceFigures(two_qubit_error=1.0), 1, 1, 0.0),
        (DeviceFigures(two_qubit_error=0.3), 0, 4, 1.0),
        (DeviceFigures(readout_error=0.02), 10, 5, None),
        (None, 10, 5, None),
    ],
)
def test_fidelity_is_the_chance_that_nothing_errs_by_the_calibrations_medians(figures, gates, read, fidelity):
    assert fidelity_of(figures, gates, read) == (None if fidelity is None else pytest.approx(fidelity))


async def test_a_gateway_answers_on_the_bus(gateway, remote):
    class Cloud(remote.FakeRemote):
        def size(self, backend, work):
            return Size(11, 7)

        def window(self, backend):
            return Availability(queued=5)

        def cost(self, backend, work):
            return Quote(0.25 * work.rows)

    bus = await gateway(Cloud("token", ManualClock()))
    found = await bus.ask("quantum-gateway", "appraise", work("cloud:x", rows=4), Appraisal)
    assert (found.target, found.paid, found.usd, found.queued) == ("cloud:x", True, 1.0, 5)
    with pytest.raises(QueryFailed):
        await bus.ask("quantum-gateway", "appraise", work("cloud:x", rows=4, shots=None), Appraisal)
