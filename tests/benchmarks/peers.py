"""Other simulators at the same work, called as well as one can, in an environment of their own (`just bench-peers`).

Runs as a child of `engine.py`: one request a line on standard input, `{"peer", "ansatz", "qubits", "mode", "sets",
"seed", "shots"}`, and one answer a line: `{"seconds", "sets", "values"}` or `{"error"}`. An untimed run precedes the
first answer for a circuit, so nobody's compiler is measured.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import circuits
import numpy as np
from circuits import Ansatz
from numpy.typing import NDArray

Sets = NDArray[np.float64]
Run = Callable[[Sets], Any]
ONE_BY_ONE = {"lightning", "braket", "qulacs"}
"""Peers without a batch: a few sets say what many would take."""

FEW_SETS, WIDE = {"lightning": 10, "braket": 3, "qulacs": 100}, 14


def aer(ansatz: Ansatz, shots: int) -> Run:
    """Qiskit Aer's primitives with runtime binding and the best thread setting."""
    import aer as by_hand

    make = by_hand.sampler(ansatz, shots) if shots else by_hand.estimator(ansatz)
    return make(by_hand.best_settings(make, ansatz.draw(20, 1)))


def qulacs(ansatz: Ansatz, shots: int) -> Run:
    """One parametric circuit, its parameters set for each set; all cores."""
    from qulacs import Observable, ParametricQuantumCircuit, QuantumState

    circuit, places = ParametricQuantumCircuit(ansatz.qubits), []
    for name, qubits, parameter, factor in ansatz.gates:
        if parameter is None:
            getattr(circuit, {"h": "add_H_gate", "cx": "add_CNOT_gate"}[name])(*qubits)
            continue
        places.append((parameter, -factor))  # qulacs turns the other way
        if name == "rzz":
            circuit.add_parametric_multi_Pauli_rotation_gate(list(qubits), [3, 3], 0.0)
        else:
            getattr(circuit, f"add_parametric_{name.upper()}_gate")(*qubits, 0.0)
    observable = Observable(ansatz.qubits)
    for label, weight in ansatz.observable.items():
        places_of_z = [qubit for qubit, letter in enumerate(reversed(label)) if letter == "Z"]
        observable.add_operator(weight, " ".join(f"Z {qubit}" for qubit in places_of_z) or "I 0")
    state = QuantumState(ansatz.qubits)

    def one(values: Sets) -> Any:
        for index, (parameter, factor) in enumerate(places):
            circuit.set_parameter(index, factor * values[parameter])
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return state.sampling(shots) if shots else observable.get_expectation_value(state)

    return lambda sets: [one(values) for values in sets]


def lightning(ansatz: Ansatz, shots: int) -> Run:
    """PennyLane's lightning.qubit, one QNode, parameters broadcast."""
    import pennylane as qml

    gates = {"h": qml.Hadamard, "cx": qml.CNOT, "rx": qml.RX, "ry": qml.RY, "rz": qml.RZ, "rzz": qml.IsingZZ}
    terms = []
    for label in ansatz.observable:
        wires = [qubit for qubit, letter in enumerate(reversed(label)) if letter == "Z"]
        terms.append(qml.prod(*(qml.PauliZ(wire) for wire in wires)) if wires else qml.Identity(0))
    operator = qml.Hamiltonian(list(ansatz.observable.values()), terms)

    def body(sets: Sets) -> Any:
        for name, qubits, parameter, factor in ansatz.gates:
            angles = () if parameter is None else (factor * sets[:, parameter],)
            gates[name](*angles, wires=list(qubits))
        return qml.sample() if shots else qml.expval(operator)

    node = qml.QNode(body, qml.device("lightning.qubit", wires=ansatz.qubits), diff_method=None)
    made: Run = qml.set_shots(node, shots) if shots else node
    return made


def tensorcircuit(ansatz: Ansatz, shots: int) -> Run:
    """tensorcircuit-ng on JAX: one jitted, vectorised function in complex128."""
    import jax
    import tensorcircuit as tc

    tc.set_backend("jax")
    tc.set_dtype("complex128")
    diagonal = diagonal_of(ansatz)[reversed_bits(ansatz.qubits)]  # its first qubit is the most significant

    def one(values: Any, uniform: Any) -> Any:
        circuit = tc.Circuit(ansatz.qubits)
        for name, qubits, parameter, factor in ansatz.gates:
            angles = {} if parameter is None else {"theta": factor * values[parameter]}
            getattr(circuit, name)(*qubits, **angles)
        if shots:
            return circuit.sample(batch=shots, allow_state=True, status=uniform, format="sample_int")
        return jax.numpy.vdot(jax.numpy.abs(circuit.state()) ** 2, diagonal)

    jitted = jax.jit(jax.vmap(one))

    def run(sets: Sets) -> Any:
        uniform = np.random.default_rng(1).random((len(sets), max(shots, 1)))
        return np.asarray(jitted(sets, uniform).block_until_ready())

    return run


def braket(ansatz: Ansatz, shots: int) -> Run:
    """Braket's local state vector, one OpenQASM program with inputs for each set."""
    from braket.default_simulator import StateVectorSimulator
    from braket.ir.openqasm import Program

    text = ansatz.qasm(measured=bool(shots))
    text = text.replace(circuits.HEADER, "OPENQASM 3.0;\n").replace(circuits.RZZ, "")
    text = text.replace("rzz(", "zz(").replace("cx ", "cnot ")
    if not shots:
        text += "".join(f"#pragma braket result expectation {written(label)}\n" for label in ansatz.observable)
    simulator, weights = StateVectorSimulator(), list(ansatz.observable.values())

    def one(values: Sets) -> Any:
        program = Program(source=text, inputs={f"t{index}": float(value) for index, value in enumerate(values)})
        result = simulator.run(program, shots=shots)
        return None if shots else float(np.dot(weights, [each.value for each in result.resultTypes]))

    return lambda sets: [one(values) for values in sets]


def written(label: str) -> str:
    """A Pauli label as Braket's pragma has it."""
    factors = [f"z(q[{qubit}])" for qubit, letter in enumerate(reversed(label)) if letter == "Z"]
    return " @ ".join(factors) or "i(q[0])"


def diagonal_of(ansatz: Ansatz) -> Sets:
    """The observable, which is of Z alone, on each basis state; qubit 0 is the least significant."""
    states = np.arange(2**ansatz.qubits)
    total = np.zeros(len(states))
    for label, weight in ansatz.observable.items():
        mask = int(label.replace("I", "0").replace("Z", "1"), 2)
        total += weight * (1.0 - 2.0 * (np.bitwise_count(states & mask) % 2))
    return total


def reversed_bits(qubits: int) -> NDArray[np.int64]:
    """Each basis state with its bits in the other order."""
    states = np.arange(2**qubits)
    return sum(((states >> qubit) & 1) << (qubits - 1 - qubit) for qubit in range(qubits))  # type: ignore[return-value]


PEERS = {"aer": aer, "qulacs": qulacs, "lightning": lightning, "tensorcircuit": tensorcircuit, "braket": braket}


@functools.lru_cache(maxsize=16)
def ready(peer: str, ansatz: str, qubits: int, shots: int, sets: int) -> tuple[Ansatz, Run]:
    """A peer's function for a circuit, run once."""
    made: Ansatz = getattr(circuits, ansatz)(qubits)
    run = PEERS[peer](made, shots)
    run(made.draw(sets, 0))
    return made, run


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """One request's answer."""
    peer, shots, sets = asked["peer"], asked["shots"] if asked["mode"] == "sampled" else 0, asked["sets"]
    if peer in ONE_BY_ONE and (peer == "braket" or asked["qubits"] >= WIDE):
        sets = min(sets, FEW_SETS[peer])
    ansatz, run = ready(peer, asked["ansatz"], asked["qubits"], shots, sets)
    rows = ansatz.draw(sets, asked["seed"])
    began = time.perf_counter()
    found = run(rows)
    seconds = time.perf_counter() - began
    values = [] if shots else [float(np.real(value)) for value in found]
    return {"seconds": seconds, "sets": sets, "values": values}


def main() -> None:
    """Answer until standard input ends; what libraries print goes to standard error."""
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            said = answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 - a peer that cannot do it is a figure too
            said = {"error": f"{type(error).__name__}: {error}"[:300]}
        out.write(json.dumps(said) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
