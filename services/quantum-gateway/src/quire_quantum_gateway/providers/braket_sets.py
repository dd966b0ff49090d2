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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from braket.devices import Device
    from numpy.typing import NDArray

    from quire_quantum.braket_program import BraketProgram


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
        entries = list(_entries(programs, rows, part))
        task = device.run(ProgramSet(entries, shots_per_executable=shots), shots=shots * len(part))
        measured = (each for entry in task.result().entries for each in entry.entries)
        for place, each in zip(part, measured, strict=True):
            found[place] = _columns(each, programs[place[0]], shots)
    return [[found[program, row] for program in range(len(programs))] for row in range(len(rows))]


def _entries(
    programs: Sequence[BraketProgram], rows: NDArray[np.float64], part: Sequence[tuple[int, int]]
) -> Iterator[Program]:
    """One program for each run of rows; without inputs, one for each row."""
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
