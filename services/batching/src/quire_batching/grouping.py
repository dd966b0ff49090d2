"""Which tasks may share a batch, how much of one fits, how a large task is cut, and what a batch is called."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from quire_batching.load import Load
from quire_contracts.batch import Batch, ExecuteBatch, FlushReason, SimulateBatch, Slice
from quire_contracts.mitigation import Mitigation
from quire_contracts.task import Task, scores_samples
from quire_contracts.value import Late, Priority

SIMULATION: Final = "simulation"
"""The provider of the batched simulator's targets; every other one is reached through the gateway."""

MAX_SLICES: Final = 32
"""Slices of one task at most: its fan-in record and its score carry one provenance for each."""

URGENCY: Final[tuple[Priority, ...]] = ("research", "validation", "production", "customer-facing")
"""The classes, the most urgent last."""

_PATIENCE: Final[tuple[Late, ...]] = ("stop", "unpaid", "keep")
"""From the least patient to the most: the work of a batch is left to run as the most patient of its tasks is."""

_NAMESPACE: Final = uuid.UUID("b5ef4f0c-5a5d-5e0a-8d43-6d2f6b1f1c57")


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What the members of a batch have in common; tasks that differ only in angles have equal keys.

    A structure has its qubits and a target its topology, so that neither stands here. `reduced`: the members want
    expectation values of their shots and not the counts, which samples of an optimisation problem are scored by.
    `alone`: the task that wants no company.
    """

    target: str
    structure: str
    observables: str | None
    shots: int | None
    priority: Priority
    reduced: bool = False
    alone: str = ""
    mitigation: Mitigation | None = None


def group_key(task: Task, *, mixed: bool = False) -> GroupKey:
    """The key of a task; `mixed` puts tasks of all classes together, in the queue with the strictest bounds."""
    observables = task.observables.sha256 if task.observables else None
    reduced = observables is not None and task.shots is not None and not scores_samples(task.scoring)
    priority: Priority = "customer-facing" if mixed else task.priority
    alone = task.task_id if task.alone else ""
    structure, mitigation = task.structure.sha256, task.mitigation
    return GroupKey(task.target, structure, observables, task.shots, priority, reduced, alone, mitigation)


def is_simulated(target: str) -> bool:
    """Whether a target is the batched simulator's: `simulation`, or `simulation:<noise>`."""
    return target.partition(":")[0] == SIMULATION


def cut(rows: int, shots: int | None, limits: Load) -> tuple[range, ...]:
    """The slices of a task of `rows` parameter sets: consecutive, as even as can be, together all of it.

    Each holds the limits on rows and shots where `MAX_SLICES` allows; one slice means that the task stays whole. It
    depends on nothing that is measured: the same task is always cut alike.
    """
    most = min(limits.rows, limits.shots // shots if shots else rows)
    pieces = min(-(-rows // max(1, most)), MAX_SLICES, rows)
    edges = [rows * piece // pieces for piece in range(pieces + 1)] if pieces else [0, 0]
    return tuple(range(start, stop) for start, stop in itertools.pairwise(edges))


def batch_id(members: Iterable[Slice]) -> str:
    """The id of the batch of these members (UUID version 5), whatever their order."""
    return str(uuid.uuid5(_NAMESPACE, ";".join("|".join(map(str, _identity(member))) for member in _sorted(members))))


def form_batch(
    tasks: Sequence[Task], members: Iterable[Slice], reason: FlushReason, formed_at: datetime
) -> ExecuteBatch | SimulateBatch:
    """The command that runs the members, slices of these tasks, at the plane of their target.

    All tasks have one key, but for their class where classes are mixed: the batch has the most urgent one. After the
    latest of their deadlines nobody wants the batch; a task without one always does. Members are in the order of their
    ids, so that equal sets of members give equal batches.
    """
    ordered, first = _sorted(members), tasks[0]
    ends = [task.deadline_at for task in tasks if task.deadline_at is not None]
    batch = Batch(
        batch_id=batch_id(ordered),
        target=first.target,
        structure=first.structure,
        qubits=first.qubits,
        observables=first.observables,
        shots=first.shots,
        priority=max((task.priority for task in tasks), key=URGENCY.index),
        members=tuple(ordered),
        flush_reason=reason,
        formed_at=formed_at,
        deadline_at=max(ends) if len(ends) == len(tasks) else None,
        mitigation=first.mitigation,
        late=max((task.late for task in tasks), key=_PATIENCE.index),
    )
    return SimulateBatch(batch=batch) if is_simulated(first.target) else ExecuteBatch(batch=batch)


def _identity(member: Slice) -> tuple[str, int, int]:
    return member.task_id, member.attempt, member.first


def _sorted(members: Iterable[Slice]) -> list[Slice]:
    return sorted(members, key=_identity)
