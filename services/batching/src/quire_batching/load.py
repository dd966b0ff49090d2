"""How much work a task is: what batches are limited by and what fair shares are counted in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import msgspec

from quire_contracts.batch import Slice
from quire_contracts.task import Task

_OPERATION_BYTES: Final = 16
"""Canonical text of one operation of a structure, such as `rz(p0) q[3];`, on average."""

_GATE_SECONDS: Final = 1.1e-9
"""For each amplitude and gate on one core (measured for the batched simulator: 1.0 to 1.2 ns)."""

_ROW_SECONDS: Final = 10e-6
_SHOT_SECONDS: Final = 20e-9
_WIDEST: Final = 26
"""Qubits above which a state vector is not what runs, so that the estimate stops growing."""

_AMPLITUDE_BYTES: Final = 16
_encoder: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Load:
    """How much there is in a batch, or how much may be.

    members: tasks or pieces of them.   rows: parameter sets.   shots: over all rows.   size_bytes: of JSON.
    seconds: estimated run time.   memory_bytes: of all rows' states at once.
    """

    members: int = 0
    rows: int = 0
    shots: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    memory_bytes: int = 0

    def __add__(self, other: Load) -> Load:
        return Load(
            self.members + other.members,
            self.rows + other.rows,
            self.shots + other.shots,
            self.size_bytes + other.size_bytes,
            self.seconds + other.seconds,
            self.memory_bytes + other.memory_bytes,
        )

    def __sub__(self, other: Load) -> Load:
        return Load(
            self.members - other.members,
            self.rows - other.rows,
            self.shots - other.shots,
            self.size_bytes - other.size_bytes,
            max(0.0, self.seconds - other.seconds),
            self.memory_bytes - other.memory_bytes,
        )

    def fits(self, limits: Load) -> bool:
        """Whether nothing is above its limit."""
        return (
            self.members <= limits.members
            and self.rows <= limits.rows
            and self.shots <= limits.shots
            and self.size_bytes <= limits.size_bytes
            and self.seconds <= limits.seconds
            and self.memory_bytes <= limits.memory_bytes
        )

    def fills(self, limits: Load) -> bool:
        """Whether something is at its limit, so that nothing more can come."""
        return (
            self.members >= limits.members
            or self.rows >= limits.rows
            or self.shots >= limits.shots
            or self.size_bytes >= limits.size_bytes
            or self.seconds >= limits.seconds
            or self.memory_bytes >= limits.memory_bytes
        )


def row_seconds(task: Task) -> float:
    """The estimated run time of one of the task's parameter sets on a batched state vector, in seconds.

    gates x 2^qubits x 1.1 ns, plus a little for each row and shot; the gates are guessed from the size of the
    structure's text. A prior and no promise: what a backend really takes is learned from its finished batches.
    """
    gates = max(1, task.structure.size // _OPERATION_BYTES)
    amplitudes = 1 << min(task.qubits, _WIDEST)
    return _ROW_SECONDS + gates * amplitudes * _GATE_SECONDS + (task.shots or 0) * _SHOT_SECONDS


def load_of(task: Task, member: Slice) -> Load:
    """What one member, a slice of `task`, adds to a batch."""
    rows = member.parameters.rows
    return Load(
        members=1,
        rows=rows,
        shots=rows * (task.shots or 0),
        size_bytes=len(_encoder.encode(member)) + 1,
        seconds=rows * row_seconds(task),
        memory_bytes=rows * _AMPLITUDE_BYTES << min(task.qubits, _WIDEST),
    )


def within(limits: Load, seconds: float) -> Load:
    """The limits with at most so many seconds of estimated run time."""
    return replace(limits, seconds=min(limits.seconds, seconds))
