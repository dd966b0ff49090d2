"""Braket's local simulators, made repeatable and spared the parsing of the same program for every row.

Both are done by a subclass of the simulator that Braket's `LocalSimulator` is then given, the way in that it documents.
Each simulation of the SDK draws from a NumPy generator of its own, made without a seed in its constructor
(`StateVectorSimulation` and `DensityMatrixSimulation` of amazon-braket-default-simulator 1.4x); a subclass can put a
seeded one in its place, so nothing global is seeded and threads do not disturb each other.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from braket.default_simulator import DensityMatrixSimulator, StateVectorSimulator
from braket.default_simulator.openqasm.interpreter import Interpreter
from braket.default_simulator.openqasm.program_context import ProgramContext
from braket.devices import LocalSimulator
from braket.ir.openqasm import Program

from quire_quantum.braket_program import BraketProgram, to_braket
from quire_quantum.observables import without_final_measurements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quire_quantum.structure import Structure


@dataclass(frozen=True, eq=False)
class Parsed:
    """A program as Braket's interpreter leaves it, inputs still free.

    `slots` names the instructions that have a free angle: (position, input, scale, offset).
    """

    program: BraketProgram
    circuit: Any
    slots: tuple[tuple[int, int, float, float], ...]
    depth: int
    two_qubit_gates: int


@dataclass(frozen=True)
class _Context:
    """What the simulator reads of an interpreted program."""

    circuit: Any
    is_branched: bool = False


def parse(structure: Structure, expectations: Sequence[str] = ()) -> Parsed:
    """Parse a structure once, as Braket's own simulator would for every run."""
    program = to_braket(without_final_measurements(structure) if expectations else structure, expectations)
    context = Interpreter(ProgramContext()).run(source=program.source, inputs={})
    circuit = context.circuit
    inputs = {name: index for index, name in enumerate(program.inputs)}
    slots = []
    for position, instruction in enumerate(circuit.instructions):
        angle: Any = getattr(instruction, "_angle", None)
        if getattr(angle, "free_symbols", None):
            (symbol,) = angle.free_symbols
            scale, offset = float(angle.coeff(symbol, 1)), float(angle.coeff(symbol, 0))
            slots.append((position, inputs[str(symbol)], scale, offset))
    targets = [tuple(instruction.targets) for instruction in circuit.instructions]
    return Parsed(program, circuit, tuple(slots), _depth(targets), sum(len(each) == 2 for each in targets))  # noqa: PLR2004


def sample(
    simulator: str, parsed: Parsed, row: NDArray[np.float64], shots: int, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Single shots of one row, uint8 [shots, measurements], columns by rising classical bit."""
    result = _run(simulator, parsed, row, shots, generator)
    if tuple(result.measured_qubits) != parsed.program.measured_qubits:
        raise RuntimeError("the simulator measured other qubits than the program says")
    return np.asarray(result.measurements, dtype=np.uint8).reshape(shots, len(parsed.program.measured_bits))


def expectations(simulator: str, parsed: Parsed, row: NDArray[np.float64]) -> NDArray[np.float64]:
    """The program's expectation values for one row, in their order."""
    result = _run(simulator, parsed, row, 0, np.random.default_rng(0))
    return np.array([float(value) for value in result.values])


def _run(simulator: str, parsed: Parsed, row: NDArray[np.float64], shots: int, generator: np.random.Generator) -> Any:
    inputs = dict(zip(parsed.program.inputs, row.tolist(), strict=True))
    device = LocalSimulator(_SIMULATORS[simulator](_bound(parsed, row), generator))
    return device.run(Program(source=parsed.program.source, inputs=inputs), shots=shots).result()


def _bound(parsed: Parsed, row: NDArray[np.float64]) -> Any:
    """The parsed circuit with its angles set; the simulator renumbers qubits in place, so everything is a copy."""
    circuit = copy(parsed.circuit)
    circuit.instructions = [copy(instruction) for instruction in parsed.circuit.instructions]
    circuit.results = [each.copy() for each in parsed.circuit.results]
    for position, column, scale, offset in parsed.slots:
        circuit.instructions[position]._angle = scale * row[column] + offset  # noqa: SLF001 - no public way to bind
    return circuit


class _Bound:
    """Runs one bound circuit and draws from one generator."""

    def __init__(self, circuit: Any, generator: np.random.Generator) -> None:
        super().__init__()
        self._circuit = circuit
        self._generator = generator

    def parse_program(self, _program: Any) -> _Context:
        return _Context(self._circuit)

    def _parse_program_with_shots(self, _program: Any, _shots: int) -> _Context:
        return _Context(self._circuit)

    def initialize_simulation(self, **kwargs: Any) -> Any:
        simulation = super().initialize_simulation(**kwargs)  # type: ignore[misc]
        simulation._rng_generator = self._generator  # noqa: SLF001 - see the module's docstring
        return simulation

    def _validate_ir_instructions_compatibility(self, *_: Any, **__: Any) -> None:
        """Our gates are all known; for a circuit without noise the original warns on standard error at every row."""


class _StateVector(_Bound, StateVectorSimulator):  # type: ignore[misc]  # Braket ships no types
    """`braket_sv`."""


class _DensityMatrix(_Bound, DensityMatrixSimulator):  # type: ignore[misc]  # as above
    """`braket_dm`."""


_SIMULATORS: Final = {"local": _StateVector, "local_dm": _DensityMatrix}


def _depth(targets: Sequence[tuple[int, ...]]) -> int:
    """Layers of the circuit when each gate stands as early as it can."""
    level: dict[int, int] = {}
    for qubits in targets:
        layer = 1 + max(level.get(qubit, 0) for qubit in qubits)
        level.update(dict.fromkeys(qubits, layer))
    return max(level.values(), default=0)
