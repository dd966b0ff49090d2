"""Results for Qiskit's own client: circuits come as QPY and go back as a primitive's result, in Runtime's JSON.

QPY from strangers can hold harm; an emulator listens on loopback and reads what its own user's client wrote.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult, StatevectorSampler
from qiskit_ibm_runtime import RuntimeDecoder, RuntimeEncoder

from quire_emulator.circuits import MOST_QUBITS, CannotRunError

if TYPE_CHECKING:
    from quire_emulator.configuration import Noise
    from quire_emulator.gates import Array


def qiskit_results(body: str, good: int, noise: Noise, seed: int) -> bytes:
    """The result document of the first `good` pubs of a job's parameters.

    Raises:
        CannotRunError: a circuit cannot be run.
    """
    try:
        params = json.loads(body, cls=RuntimeDecoder)
        default = (params.get("options") or {}).get("default_shots") or params.get("shots") or 4096
        found = [_ran(pub, int(default), noise, seed + number) for number, pub in enumerate(params["pubs"][:good])]
    except CannotRunError:
        raise
    except Exception as error:
        raise CannotRunError(str(error) or type(error).__name__) from error
    return json.dumps(PrimitiveResult(found, metadata={"version": 2}), cls=RuntimeEncoder).encode()


def _ran(pub: Any, default: int, noise: Noise, seed: int) -> SamplerPubResult:
    parts = list(pub) if isinstance(pub, (list, tuple)) else [pub]
    circuit, values, count = (*parts, None, None)[:3]
    narrow = without_idle(circuit)
    exact = StatevectorSampler(seed=seed).run([(narrow, values)], shots=int(count or default)).result()[0]
    generator = np.random.default_rng(seed)
    fields = {}
    for name, bits in exact.data.items():
        matrix = bits.to_bool_array(order="little")
        fields[name] = BitArray.from_bool_array(flipped(matrix, noise, generator), order="little")
    return SamplerPubResult(DataBin(shape=exact.data.shape, **fields), metadata={"circuit_metadata": {}})


def flipped(matrix: Array, noise: Noise, generator: np.random.Generator) -> Array:
    """Bits as a noisy reading has them; of noise only the reading is known here."""
    return matrix ^ (generator.random(matrix.shape) < noise.readout) if noise.readout else matrix


def without_idle(circuit: QuantumCircuit) -> QuantumCircuit:
    """The same circuit on the qubits that it uses: a device has many more."""
    used = {qubit for row in circuit.data for qubit in row.qubits if row.operation.name != "barrier"}
    if len(used) > MOST_QUBITS:
        raise CannotRunError(f"the program uses {len(used)} qubits, the emulator runs up to {MOST_QUBITS}")
    kept = [qubit for qubit in circuit.qubits if qubit in used]
    narrow = QuantumCircuit(kept, circuit.clbits, *circuit.cregs, global_phase=circuit.global_phase)
    for row in circuit.data:
        qubits = [qubit for qubit in row.qubits if qubit in used]
        if row.operation.name != "barrier":
            narrow.append(row.operation, qubits, row.clbits)
    return narrow
