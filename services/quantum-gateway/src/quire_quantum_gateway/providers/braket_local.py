"""Braket's local simulators, without the parsing, checking and wrapping that their tasks pay for every row.

A task of `LocalSimulator` parses its program (24 to 400 ms), then gives the gates to a simulation and draws from it.
Here the program is parsed once for each structure, and the simulation (`StateVectorSimulation` and
`DensityMatrixSimulation` of amazon-braket-default-simulator) is given the gates with each row's angles set; what is
drawn comes from the row's own random stream.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from braket.default_simulator import observables as pauli
from braket.default_simulator.density_matrix_simulation import DensityMatrixSimulation
from braket.default_simulator.openqasm.interpreter import Interpreter
from braket.default_simulator.openqasm.program_context import ProgramContext
from braket.default_simulator.state_vector_simulation import StateVectorSimulation

from quire_plane.sampling import draw
from quire_quantum.braket_program import to_braket
from quire_quantum.observables import without_final_measurements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from quire_quantum.structure import Structure


@dataclass(frozen=True, eq=False)
class Parsed:
    """A program as Braket's interpreter leaves it, inputs still free, and only the qubits that it uses.

    slots: the gates that have a free angle: (position, input, scale, offset).
    measured: bit to the place of its qubit in a basis state's number, which has qubit 0 at its highest place.
    terms: the observables asked for; None stands for the identity.
    """

    gates: tuple[Any, ...]
    slots: tuple[tuple[int, int, float, float], ...]
    qubits: int
    measured: Mapping[int, int]
    terms: tuple[Any, ...]
    depth: int
    two_qubit_gates: int


def parse(structure: Structure, expectations: Sequence[str] = ()) -> Parsed:
    """Parse a structure's program once, by Braket's own interpreter.

    expectations: Pauli labels whose exact values will be asked for; without any, the structure's measurements will be.
    """
    program = to_braket(without_final_measurements(structure) if expectations else structure)
    circuit = Interpreter(ProgramContext()).run(source=program.source, inputs={}).circuit
    inputs = {name: index for index, name in enumerate(program.inputs)}
    support = {qubit for label in expectations for qubit, each in enumerate(reversed(label)) if each != "I"}
    touched = {qubit for gate in circuit.instructions for qubit in gate.targets}
    used = sorted(touched | support | set(program.measured_qubits)) or [0]
    index = {qubit: position for position, qubit in enumerate(used)}
    gates, slots = [], []
    for position, instruction in enumerate(circuit.instructions):
        gate = copy(instruction)
        gate._targets = tuple(index[qubit] for qubit in instruction.targets)  # noqa: SLF001 - as Braket renumbers them
        gates.append(gate)
        angle: Any = getattr(instruction, "_angle", None)
        if getattr(angle, "free_symbols", None):
            (symbol,) = angle.free_symbols
            slots.append((position, inputs[str(symbol)], float(angle.coeff(symbol, 1)), float(angle.coeff(symbol, 0))))
    measured = zip(program.measured_bits, program.measured_qubits, strict=True)
    return Parsed(
        gates=tuple(gates),
        slots=tuple(slots),
        qubits=len(used),
        measured={bit: len(used) - 1 - index[qubit] for bit, qubit in measured},
        terms=tuple(_term(label, index) for label in expectations),
        depth=_depth([gate.targets for gate in gates]),
        two_qubit_gates=sum(len(gate.targets) == 2 for gate in gates),  # noqa: PLR2004
    )


def sample(
    simulator: str, parsed: Parsed, row: NDArray[np.float64], shots: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Basis states of one row, rising, and how often each was drawn; `parsed.measured` says how to read them."""
    return draw(np.abs(_run(simulator, parsed, row).probabilities), shots, generator)


def expectations(simulator: str, parsed: Parsed, row: NDArray[np.float64]) -> NDArray[np.float64]:
    """The expectation values asked for, for one row, in their order."""
    simulation = _run(simulator, parsed, row)
    return np.array([1.0 if term is None else float(simulation.expectation(term)) for term in parsed.terms])


def _run(simulator: str, parsed: Parsed, row: NDArray[np.float64]) -> Any:
    gates = list(parsed.gates)
    for position, column, scale, offset in parsed.slots:
        gates[position] = gate = copy(gates[position])
        gate._angle = scale * row[column] + offset  # noqa: SLF001 - no public way to bind a parsed gate
    simulation = _SIMULATIONS[simulator](parsed.qubits)
    simulation.evolve(gates)
    return simulation


_SIMULATIONS: Final = {
    "local": lambda qubits: StateVectorSimulation(qubits, shots=0, batch_size=1),
    "local_dm": lambda qubits: DensityMatrixSimulation(qubits, shots=0),
}
_PAULIS: Final = {"X": pauli.PauliX, "Y": pauli.PauliY, "Z": pauli.PauliZ}


def _term(label: str, index: Mapping[int, int]) -> Any:
    """A Pauli label (right-most character is qubit 0) as Braket's observable; None for the identity."""
    factors = [_PAULIS[each]([index[qubit]]) for qubit, each in enumerate(reversed(label)) if each != "I"]
    if len(factors) > 1:
        return pauli.TensorProduct(factors)
    return factors[0] if factors else None


def _depth(targets: Sequence[tuple[int, ...]]) -> int:
    """Layers of the circuit when each gate stands as early as it can."""
    level: dict[int, int] = {}
    for qubits in targets:
        layer = 1 + max(level.get(qubit, 0) for qubit in qubits)
        level.update(dict.fromkeys(qubits, layer))
    return max(level.values(), default=0)
