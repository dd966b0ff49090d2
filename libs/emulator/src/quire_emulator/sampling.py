"""Shots of a program in either dialect: by the flat reader where it can, else by Braket's or Qiskit's own simulator."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from quire_emulator.circuits import Bit, CannotRunError, Circuit, Distribution, distribution, shots
from quire_emulator.configuration import Noise
from quire_emulator.flat import NotFlatError, read_flat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quire_emulator.gates import Array

_KEPT: Final = 512


@dataclass(frozen=True)
class Shots:
    """What was measured.

    Attributes:
        matrix: (shots, bits) of 0 and 1.
        bits: which bit each column is, and which qubit it was read from.
        registers: sizes of the classical registers.
        whole: Braket's own result document, where only its simulator could make one.
    """

    matrix: Array
    bits: tuple[Bit, ...]
    registers: dict[str, int]
    whole: dict[str, Any] | None = None


class Sampler:
    """Runs programs; the distributions of recent flat ones are kept, for clients repeat themselves. Safe in threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, tuple[tuple[str, float], ...]], tuple[Circuit, Distribution]] = OrderedDict()
        self._lock = Lock()

    def flat(self, source: str, inputs: Mapping[str, float], count: int, noise: Noise, seed: int) -> Shots:
        """Shots of a flat program; the same seed gives the same.

        Raises:
            NotFlatError: it is not flat.
            CannotRunError: it is too wide.
        """
        key = (source, tuple(sorted(inputs.items())))
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        if found is None:
            circuit = read_flat(source, inputs)
            found = (circuit, distribution(circuit))
            with self._lock:
                self._kept[key] = found
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        circuit, exact = found
        matrix = shots(exact, count, noise, np.random.default_rng(seed))
        return Shots(matrix, circuit.bits, circuit.registers)

    def braket(self, source: str, inputs: Mapping[str, float], count: int, noise: Noise, seed: int) -> Shots:
        """Shots of a program in Braket's OpenQASM; without shots, its exact results.

        Raises:
            CannotRunError: the reader's words.
        """
        try:
            if count:
                return self.flat(source, inputs, count, noise, seed)
        except NotFlatError:
            pass
        return _by_braket(source, inputs, count, noise, seed)

    def qiskit(self, source: str, inputs: Mapping[str, float], count: int, noise: Noise, seed: int) -> Shots:
        """Shots of a program in OpenQASM 3 with the standard library.

        Raises:
            CannotRunError: the reader's words.
        """
        try:
            return self.flat(source, inputs, count, noise, seed)
        except NotFlatError:
            return _by_qiskit(source, inputs, count, noise, seed)


def _by_braket(source: str, inputs: Mapping[str, float], count: int, noise: Noise, seed: int) -> Shots:
    from braket.default_simulator import StateVectorSimulator  # noqa: PLC0415 - a second of imports, rarely needed
    from braket.ir.openqasm import Program  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = StateVectorSimulator().run(Program(source=source, inputs=dict(inputs) or None), shots=count)
        except Exception as error:
            raise CannotRunError(str(error) or type(error).__name__) from error
    whole = msgspec.json.decode(found.json(exclude_none=True))
    rows = whole.get("measurements") or []
    qubits = whole.get("measuredQubits") or []
    matrix = np.array(rows, dtype=np.uint8).reshape(len(rows), len(qubits))
    matrix = _flipped(matrix, noise, seed)
    whole.pop("measurements", None)  # the schema knows no empty list
    if count and "resultTypes" in whole:
        whole["resultTypes"] = _worked_out(found)
    if rows:
        whole["measurements"] = matrix.tolist()
    bits = tuple(Bit("", index, qubit) for index, qubit in enumerate(qubits))
    return Shots(matrix, bits, {"": len(qubits)}, whole)


def _worked_out(found: Any) -> list[dict[str, Any]]:
    """The values of result types from the shots, which the service works out and the local simulator does not."""
    from braket.tasks import GateModelQuantumTaskResult  # noqa: PLC0415 - as above

    types = GateModelQuantumTaskResult.from_object(found).result_types
    return [
        {"type": msgspec.json.decode(each.type.json(exclude_none=True)), "value": np.asarray(each.value).tolist()}
        for each in types
    ]


def _by_qiskit(source: str, inputs: Mapping[str, float], count: int, noise: Noise, seed: int) -> Shots:
    from qiskit import qasm3  # noqa: PLC0415 - as above

    try:
        circuit = qasm3.loads(source)
        circuit = circuit.assign_parameters({name: inputs[name] for name in map(str, circuit.parameters)})
    except Exception as error:
        raise CannotRunError(str(error) or type(error).__name__) from error
    return of_qiskit_circuit(circuit, count, noise, seed)


def of_qiskit_circuit(circuit: Any, count: int, noise: Noise, seed: int) -> Shots:
    """Shots of a Qiskit circuit without open parameters.

    Raises:
        CannotRunError: it measures nothing, or decides while it runs.
    """
    from qiskit.primitives import StatevectorSampler  # noqa: PLC0415 - as above

    try:
        data = StatevectorSampler(seed=seed).run([circuit], shots=count).result()[0].data
    except Exception as error:
        raise CannotRunError(str(error) or type(error).__name__) from error
    columns, bits, registers = [], [], {}
    for register in circuit.cregs:
        if register.name not in data:
            continue
        found = data[register.name].to_bool_array(order="little")
        registers[register.name] = register.size
        columns.append(found.astype(np.uint8))
        bits += [Bit(register.name, index, index) for index in range(register.size)]
    matrix = np.concatenate(columns, axis=1) if columns else np.zeros((count, 0), np.uint8)
    return Shots(_flipped(matrix, noise, seed), tuple(bits), registers)


def _flipped(matrix: Array, noise: Noise, seed: int) -> Array:
    """Of noise only the reading is known to the other simulators' results."""
    if not noise.readout or not matrix.size:
        return matrix
    flips = np.random.default_rng(seed).random(matrix.shape) < noise.readout
    return matrix ^ flips.astype(np.uint8)
