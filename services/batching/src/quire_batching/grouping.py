"""Which tasks may share a batch, how much of one fits, how a large task is cut, and what a batch is called."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from quire_contracts.batch import Batch, ExecuteBatch, FlushReason, SimulateBatch, Slice
from quire_contracts.task import Task
from quire_contracts.value import Priority

SIMULATION: Final = "simulation"
"""The target of the batched simulator; every other target is a provider's."""

MAX_SLICES: Final = 32
"""Slices of one task at most: its fan-in record and its score carry one provenance for each."""

_NAMESPACE: Final = uuid.UUID("b5ef4f0c-5a5d-5e0a-8d43-6d2f6b1f1c57")
_SEED_BITS: Final = 31
_encoder: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What the members of a batch have in common; tasks that differ only in angles have equal keys."""

    target: str
    structure: str
    observables: str | None
    shots: int | None
    priority: Priority


@dataclass(frozen=True, slots=True)
class Load:
    """How much there is in a batch, or how much may be: members, parameter sets, shots in all, bytes of JSON."""

    members: int = 0
    rows: int = 0
    shots: int = 0
    size_bytes: int = 0

    def __add__(self, other: Load) -> Load:
        return Load(
            self.members + other.members,
            self.rows + other.rows,
            self.shots + other.shots,
            self.size_bytes + other.size_bytes,
        )

    def fits(self, limits: Load) -> bool:
        """Whether nothing is above its limit."""
        return all(have <= most for have, most in self._against(limits))

    def fills(self, limits: Load) -> bool:
        """Whether something is at its limit, so that nothing more can come."""
        return any(have >= most for have, most in self._against(limits))

    def _against(self, limits: Load) -> tuple[tuple[int, int], ...]:
        return (
            (self.members, limits.members),
            (self.rows, limits.rows),
            (self.shots, limits.shots),
            (self.size_bytes, limits.size_bytes),
        )


def group_key(task: Task) -> GroupKey:
    """The key of a task."""
    observables = task.observables.sha256 if task.observables else None
    return GroupKey(task.target, task.structure.sha256, observables, task.shots, task.priority)


def load_of(member: Slice, shots: int | None) -> Load:
    """What one member adds to a batch that runs `shots` for each of its parameter sets."""
    rows = member.parameters.rows
    return Load(1, rows, rows * (shots or 0), len(_encoder.encode(member)) + 1)


def cut(rows: int, shots: int | None, limits: Load) -> tuple[range, ...]:
    """The slices of a task of `rows` parameter sets: consecutive, as even as can be, together all of it.

    Each holds the limits on rows and shots where `MAX_SLICES` allows; one slice means that the task stays whole.
    """
    most = min(limits.rows, limits.shots // shots if shots else rows)
    pieces = min(-(-rows // max(1, most)), MAX_SLICES, rows)
    edges = [rows * piece // pieces for piece in range(pieces + 1)] if pieces else [0, 0]
    return tuple(range(start, stop) for start, stop in itertools.pairwise(edges))


def slice_seed(seed: int | None, first: int) -> int | None:
    """The seed of the slice that begins at row `first`: the task's own for the first, else derived from both."""
    if seed is None or first == 0:
        return seed
    digest = hashlib.sha256(f"{seed}|{first}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> (32 - _SEED_BITS)


def batch_id(members: Iterable[Slice]) -> str:
    """The id of the batch of these members (UUID version 5), whatever their order."""
    return str(uuid.uuid5(_NAMESPACE, ";".join("|".join(map(str, _identity(member))) for member in _sorted(members))))


def form_batch(
    task: Task, members: Iterable[Slice], reason: FlushReason, formed_at: datetime, deadlines: Iterable[datetime | None]
) -> ExecuteBatch | SimulateBatch:
    """The command that runs the members, at the plane of their target.

    task: any of the members' tasks; all of them have its key.
    deadlines: one of each member. After the latest of them nobody wants the batch; one None means somebody always does.

    Members are in the order of their ids, so that equal sets of members give equal batches.
    """
    ordered = _sorted(members)
    ends = [deadline for deadline in deadlines if deadline is not None]
    batch = Batch(
        batch_id=batch_id(ordered),
        target=task.target,
        structure=task.structure,
        qubits=task.qubits,
        observables=task.observables,
        shots=task.shots,
        priority=task.priority,
        members=tuple(ordered),
        flush_reason=reason,
        formed_at=formed_at,
        deadline_at=max(ends) if ends and len(ends) == len(ordered) else None,
    )
    return SimulateBatch(batch=batch) if task.target == SIMULATION else ExecuteBatch(batch=batch)


def _identity(member: Slice) -> tuple[str, int, int]:
    return member.task_id, member.attempt, member.first


def _sorted(members: Iterable[Slice]) -> list[Slice]:
    return sorted(members, key=_identity)
