"""The circuits that are measured: QAOA for MaxCut and a hardware-efficient ansatz, as OpenQASM 3 and as Qiskit's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
RZZ = "gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }\n"


@dataclass(frozen=True)
class Ansatz:
    """A parameterised circuit without measurements. Each gate is (name, qubits, parameter or None, factor of it)."""

    name: str
    qubits: int
    parameters: int
    gates: tuple[tuple[str, tuple[int, ...], int | None, float], ...]
    observable: dict[str, float]

    def qasm(self, *, measured: bool, angles: NDArray[np.float64] | None = None) -> str:
        """OpenQASM 3 with one input for each parameter, or with literal angles."""
        names = [f"t{index}" for index in range(self.parameters)]
        lines = [HEADER, RZZ if any(gate[0] == "rzz" for gate in self.gates) else ""]
        lines += [f"input float {name};\n" for name in names if angles is None]
        lines.append(f"qubit[{self.qubits}] q;\n")
        lines += [f"bit[{self.qubits}] c;\n"] if measured else []
        for name, qubits, parameter, factor in self.gates:
            operands = ", ".join(f"q[{qubit}]" for qubit in qubits)
            if parameter is None:
                lines.append(f"{name} {operands};\n")
            elif angles is None:
                lines.append(f"{name}({factor!r} * {names[parameter]}) {operands};\n")
            else:
                lines.append(f"{name}({factor * float(angles[parameter])!r}) {operands};\n")
        return "".join(lines) + ("c = measure q;\n" if measured else "")

    def circuit(self, *, measured: bool) -> QuantumCircuit:
        """The same for Qiskit, parameters in the same order."""
        from qiskit import QuantumCircuit
        from qiskit.circuit import ParameterVector

        free, made = ParameterVector("t", self.parameters), QuantumCircuit(self.qubits)
        for name, qubits, parameter, factor in self.gates:
            angles = () if parameter is None else (factor * free[parameter],)
            getattr(made, name)(*angles, *qubits)
        if measured:
            made.measure_all()
        return made

    def draw(self, sets: int, seed: int) -> NDArray[np.float64]:
        """Random parameter sets, float64 [sets, parameters] in radians."""
        return np.random.default_rng(seed).uniform(-np.pi, np.pi, (sets, self.parameters))


def qaoa(qubits: int, layers: int = 2, degree: int = 3, seed: int = 7) -> Ansatz:
    """MaxCut on a random regular graph; parameters are gamma, beta of each layer, the observable counts the cut."""
    edges = sorted(tuple(sorted(edge)) for edge in nx.random_regular_graph(degree, qubits, seed=seed).edges)
    gates: list[tuple[str, tuple[int, ...], int | None, float]] = [("h", (q,), None, 1.0) for q in range(qubits)]
    for layer in range(layers):
        gates += [("rzz", edge, 2 * layer, 1.0) for edge in edges]
        gates += [("rx", (qubit,), 2 * layer + 1, 2.0) for qubit in range(qubits)]
    observable = {"I" * qubits: 0.5 * len(edges)}
    for first, second in edges:
        observable["".join("Z" if q in {first, second} else "I" for q in reversed(range(qubits)))] = -0.5
    return Ansatz("qaoa", qubits, 2 * layers, tuple(gates), observable)


def efficient(qubits: int, layers: int = 2) -> Ansatz:
    """A hardware-efficient ansatz: ry and rz on each qubit, a chain of cx, then ry; its value is ZZ of neighbours."""
    gates: list[tuple[str, tuple[int, ...], int | None, float]] = []
    free = iter(range(2 * qubits * layers + qubits))
    for _ in range(layers):
        gates += [(name, (qubit,), next(free), 1.0) for qubit in range(qubits) for name in ("ry", "rz")]
        gates += [("cx", (qubit, qubit + 1), None, 1.0) for qubit in range(qubits - 1)]
    gates += [("ry", (qubit,), next(free), 1.0) for qubit in range(qubits)]
    observable = {"I" * (qubits - 2 - q) + "ZZ" + "I" * q: 1.0 for q in range(qubits - 1)}
    return Ansatz("efficient", qubits, 2 * qubits * layers + qubits, tuple(gates), observable)


def small_circuits() -> list[Ansatz]:
    """Five small structures of different widths, as different teams would send them."""
    return [qaoa(4), qaoa(6, layers=1), qaoa(8), efficient(4), efficient(5, layers=1)]
