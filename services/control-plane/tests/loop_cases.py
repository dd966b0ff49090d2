"""Loops with several circuits, without a house: what preprocessing says of them, and walks from task to task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import pytest
from control_plane_cases import admitted, answer, at, prepared, run_task

from quire_contracts.preparation import Estimate, JobPrepared, LoopCircuit
from quire_contracts.record import JobRecord
from quire_contracts.task import RunTask
from quire_contracts.value import inline_blob
from quire_control_plane.decide import decide
from quire_control_plane.tasks import matrix, numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quire_contracts.task import Task
    from quire_control_plane.change import Change, Moment

ROUNDS = 12
OPTIMIZERS: dict[str, dict[str, object]] = {
    "spsa": {"name": "spsa"},
    "cma-es": {"name": "cma-es", "population": 5},
    "parameter-shift": {"name": "parameter-shift"},
    "cobyla": {"name": "scipy", "method": "cobyla"},
    "l-bfgs-b": {"name": "scipy", "method": "l-bfgs-b", "tolerance": 1e-12},
}


def body(algorithm: dict[str, object], optimizer: dict[str, object] | None = None, **rest: object) -> bytes:
    """An optimisation of two qubits."""
    document = {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]},
        "seed": 5,
        "shots": 100,
        "algorithm": {"name": "qaoa", "optimizer": {"name": "spsa", "rounds": ROUNDS} | (optimizer or {})} | algorithm,
    }
    return msgspec.json.encode(document | rest)


def circuit(layers: int, *, gates: int = 0, starts: int = 3) -> LoopCircuit:
    """QAOA with so many layers, as preprocessing puts it away."""
    points = matrix([[0.1 * (row + 1)] * (2 * layers) for row in range(starts)])
    return LoopCircuit(
        name=f"{layers} layers",
        structure=inline_blob(f"OPENQASM 3.0; // {layers} layers, {gates} gates".encode(), "text/plain"),
        estimate=Estimate(qubits=2, depth=3 * layers, two_qubit_gates=gates or layers, parameter_sets=9, shots=900),
        start_points=points,
    )


def said(
    record: JobRecord, circuits: Sequence[LoopCircuit] = (), *, climbs: bool = False, starts: int = 1
) -> JobPrepared:
    """What preprocessing says of a loop with these circuits; of one circuit with three start points without them."""
    message = prepared(record)
    loop = message.preparation.loop
    assert loop is not None
    loop = msgspec.structs.replace(loop, circuits=tuple(circuits), climbs=climbs, starts=starts, mixed=0.0)
    preparation = msgspec.structs.replace(message.preparation, loop=loop)
    return msgspec.structs.replace(message, preparation=preparation)


def energies(task: Task) -> list[float]:
    """Lower for deeper circuits, least at angles that differ from one to the next."""
    return [
        -sum(math.cos(angle - 0.3 * place) for place, angle in enumerate(row)) / math.sqrt(len(row)) - 0.1 * len(row)
        for row in numbers(task.parameters)
    ]


def walk(
    document: bytes,
    how: Callable[[JobRecord], JobPrepared],
    *,
    killed: bool = False,
    of: Callable[[Task], list[float]] = energies,
    moment: Callable[[float], Moment] = at,
    record: JobRecord | None = None,
    most: int = 8 * ROUNDS,
) -> tuple[JobRecord, list[Task]]:
    """The ended record and the tasks it sent; a killed control plane knows nothing but the record's bytes."""
    record = record or admitted(document).record
    assert record is not None
    change: Change = decide(record, how(record), moment(1))
    tasks: list[Task] = []
    for tick in range(most):
        assert change.record is not None
        record = change.record
        if killed:
            record = msgspec.json.decode(msgspec.json.encode(record), type=JobRecord)
        if record.is_over:
            return record, tasks
        task = run_task(change)
        tasks.append(task)
        change = decide(record, answer(task, of(task), best=2.0), moment(2 + tick))
        assert sum(isinstance(say.message, RunTask) for say in change.says) <= 1
    pytest.fail("the job does not end")


def walk_as_killed(document: bytes, how: Callable[[JobRecord], JobPrepared]) -> tuple[JobRecord, list[Task]]:
    """A walk that killed at every task ends with the same record, and sends the same tasks, none of them twice."""
    record, tasks = walk(document, how)
    again, resent = walk(document, how, killed=True)
    assert msgspec.json.encode(again) == msgspec.json.encode(record)
    assert resent == tasks
    assert len({task.task_id for task in tasks}) == len(tasks)
    return record, tasks
