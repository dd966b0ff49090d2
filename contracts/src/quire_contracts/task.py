"""A unit of quantum work of one job: one structure, many parameter sets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from quire_contracts.result import Best
from quire_contracts.value import (
    BlobRef,
    CountsTable,
    Execution,
    Fault,
    Key,
    Matrix,
    Phase,
    Priority,
    Seconds,
    Target,
    Tenant,
    Text,
    Timing,
    TraceParent,
    Value,
)


class Scoring(Value):
    """What aggregation needs to score samples of an optimisation problem against its baseline.

    The objective is `scale * energy`; `reference` is the baseline's objective and `worst` the worst possible one,
    where known.
    """

    scale: Literal[1, -1]
    reference: float | None = None
    reference_exact: bool = False
    worst: float | None = None


class Task(Value):
    """One structure, its parameter sets and what is asked of them.

    `observables` None asks for counts. `shots` None asks for exact values. The same task (structure, parameters,
    shots, seed) gives the same result on a simulator wherever and with whatever it is batched. `targets` is the
    routing decision: where to run, in order of preference; `attempt` counts from 1.
    """

    task_id: Key
    job_id: Key
    tenant: Tenant
    phase: Phase
    round: Annotated[int, Meta(ge=0)]
    structure: BlobRef
    qubits: int
    parameters: Matrix
    observables: BlobRef | None
    shots: int | None
    seed: int | None
    target: Target
    fallbacks: tuple[Target, ...]
    priority: Priority
    attempt: Annotated[int, Meta(ge=1)] = 1
    deadline_at: datetime | None = None
    scoring: Scoring | None = None


class RunTask(Value):
    """Run a task at its target."""

    task: Task


class TaskQuality(Value):
    """How far a task's answer can be trusted, and how good it is."""

    checks: tuple[Text, ...] = ()
    """Names of the sanity checks that passed."""

    approximation_ratio: float | None = None
    gap: float | None = None
    shots: int = 0


class TaskScored(Value):
    """A task's answer, fanned in, in one bit order, checked and scored.

    `values` and `std_errors` have shape [parameter sets, observables]; `counts` is there when counts were asked for.
    """

    job_id: Key
    tenant: Tenant
    task_id: Key
    phase: Phase
    round: int
    attempt: int
    values: Matrix | None
    std_errors: Matrix | None
    counts: CountsTable | None
    best: Best | None
    quality: TaskQuality
    executions: tuple[Execution, ...]
    timings: tuple[Timing, ...] = ()


class TaskFailed(Value):
    """A task has no usable answer at its target; the control plane decides what follows."""

    job_id: Key
    tenant: Tenant
    task_id: Key
    attempt: int
    target: Target
    fault: Fault
    after_seconds: Seconds = 0.0
    """Wait at least this long before the same target is tried again."""

    traceparent: TraceParent | None = None
