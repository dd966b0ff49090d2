"""Program sets: many parameter sets of few programs in one task, for devices whose service is slow to take a task.

A real device's queue, polling and result are paid for each task, so 100 executables in a set cost little more than one.
Local simulators gain nothing (109 ms an executable in a set, 52 in a task of its own, measured with 10 qubits).
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from braket.ir.openqasm import Program
from braket.program_sets import ProgramSet

from quire_quantum.counts import pack_samples
from quire_quantum.executor import MemberOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from braket.devices import Device
    from numpy.typing import NDArray

    from quire_quantum.braket_program import BraketProgram
    from quire_quantum.executor import Work


def run_sets(
    device: Device, programs: Sequence[BraketProgram], rows: NDArray[np.float64], shots: int, at_once: int
) -> list[list[NDArray[np.uint8]]]:
    """Single shots of every program with every row of parameters.

    Args:
        device: any of Braket's that takes program sets.
        programs: all with the same inputs.
        rows: float64 [rows, inputs].
        shots: of each row and program.
        at_once: how many executables the device takes in a set.

    Returns:
        For each row, for each program: uint8 [shots, measurements], columns in the order of the program's
        `measured_qubits`.
    """
    wanted = [(program, row) for program in range(len(programs)) for row in range(len(rows))]
    found: dict[tuple[int, int], NDArray[np.uint8]] = {}
    for start in range(0, len(wanted), at_once):
        part = wanted[start : start + at_once]
        task = device.run(program_of(programs, rows, part, shots), shots=shots * len(part))
        measured = (each for entry in task.result().entries for each in entry.entries)
        for place, each in zip(part, measured, strict=True):
            found[place] = _columns(each, programs[place[0]], shots)
    return [[found[program, row] for program in range(len(programs))] for row in range(len(rows))]


def program_of(
    programs: Sequence[BraketProgram], rows: NDArray[np.float64], part: Sequence[tuple[int, int]], shots: int | None
) -> ProgramSet | Program:
    """What a device is given for (program, row) pairs.

    shots: of each pair, in a program set; None for a program alone, of one pair.
    """
    if shots is not None:
        return ProgramSet(list(entries_of(programs, rows, part)), shots_per_executable=shots)
    ((program, row),) = part
    inputs = dict(zip(programs[program].inputs, rows[row].tolist(), strict=True))
    return Program(source=programs[program].source, inputs=inputs or None)


def entries_of(
    programs: Sequence[BraketProgram], rows: NDArray[np.float64], part: Sequence[tuple[int, int]]
) -> Iterator[Program]:
    """A set's programs for (program, row) pairs: one for each run of rows; without inputs, one for each row."""
    for program, places in groupby(part, key=lambda place: place[0]):
        source, inputs = programs[program].source, programs[program].inputs
        chosen = rows[[row for _, row in places]]
        if inputs:
            columns = {name: chosen[:, column].tolist() for column, name in enumerate(inputs)}
            yield Program(source=source, inputs=columns)
        else:
            yield from (Program(source=source) for _ in chosen)


def _columns(measured: Any, program: BraketProgram, shots: int) -> NDArray[np.uint8]:
    """A result's shots, columns put into the program's order: a device names its own."""
    order = list(measured.measured_qubits)
    columns = [order.index(qubit) for qubit in program.measured_qubits]
    return np.asarray(measured.measurements, dtype=np.uint8).reshape(shots, len(order))[:, columns]


def packed(rows: list[list[NDArray[np.uint8]]], programs: Sequence[BraketProgram], work: Work) -> MemberOutcome:
    """A member's counts from single shots, [row][program], each uint8 [shots, measurements] as `run_sets` gives them.

    A bit that is not measured is 0.
    """
    width = work.structure.num_qubits if work.observables else work.structure.num_bits
    filled = []
    for row in rows:
        for program, drawn in zip(programs, row, strict=True):
            bits: NDArray[np.uint8] = np.zeros((len(drawn), width), np.uint8)
            bits[:, list(program.measured_bits)] = drawn
            filled.append(bits)
    return MemberOutcome(counts=pack_samples(filled, bit_order="big"))
