"""A quire: slices of tasks that share a target, a structure and a way of measuring, run as one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from quire_contracts.kernel import Gram
from quire_contracts.mitigation import Mitigation
from quire_contracts.task import Scoring
from quire_contracts.value import (
    BlobRef,
    CountsTable,
    Execution,
    Fault,
    Key,
    Late,
    Matrix,
    Phase,
    Priority,
    Seconds,
    Target,
    Tenant,
    TraceParent,
    Value,
)

FlushReason = Literal["size", "age", "deadline", "single"]


class Slice(Value, frozen=True):
    """Rows `first` to `first + parameters.rows` of a task that has `total_rows` of them; usually all."""

    task_id: Key
    job_id: Key
    tenant: Tenant
    phase: Phase
    round: int
    attempt: int
    first: Annotated[int, Meta(ge=0)]
    total_rows: Annotated[int, Meta(ge=1)]
    parameters: Matrix
    seed: int | None
    queued_at: datetime
    scoring: Scoring | None = None
    traceparent: TraceParent | None = None
    fresh: bool = False
    """No answer of equal work is taken for it."""

    kernel: Gram | None = None


class Batch(Value, frozen=True):
    """What a plane runs in one go; every member has this target, structure, observables, shots and mitigation."""

    batch_id: Key
    target: Target
    structure: BlobRef
    qubits: int
    observables: BlobRef | None
    shots: int | None
    priority: Priority
    members: Annotated[tuple[Slice, ...], Meta(min_length=1)]
    flush_reason: FlushReason
    formed_at: datetime
    deadline_at: datetime | None = None
    mitigation: Mitigation | None = None
    late: Late = "stop"
    """What becomes of it at a provider after that, if it was accepted there: as the most patient of its tasks says."""


class ExecuteBatch(Value, frozen=True):
    """Run a batch at a quantum provider."""

    batch: Batch


class CancelBatch(Value, frozen=True):
    """This task of a batch is not wanted any more.

    A batch of which no task is wanted is stopped at its provider as `late` says.
    """

    batch_id: Key
    task_id: Key
    job_id: Key
    tenant: Tenant
    late: Late = "stop"


class SimulateBatch(Value, frozen=True):
    """Run a batch on the batched simulator."""

    batch: Batch


class Member(Value, frozen=True):
    """Names one task of one job."""

    task_id: Key
    job_id: Key
    tenant: Tenant


class BatchStarted(Value, frozen=True):
    """A batch has been running for a while; said only of batches that are not over at once."""

    batch_id: Key
    target: Target
    started_at: datetime
    members: tuple[Member, ...]


class SliceResult(Value, frozen=True):
    """One member's answer: counts where shots were run, values where they are exact, or the fault of this member.

    `counts` covers [parameter sets, measurement groups] rows; `values` is [parameter sets, observables].
    `traceparent` names the span of this member's share of the batch, in the job's own trace.
    """

    member: Slice
    counts: CountsTable | None = None
    values: Matrix | None = None
    fault: Fault | None = None
    traceparent: TraceParent | None = None
    std_errors: Matrix | None = None
    """Of `values`, in their shape, where they were estimated from shots instead of being exact."""


class BatchExecuted(Value, frozen=True):
    """A batch ran; each member has its own answer or its own fault.

    `bits` is the number of the structure's classical bits: the width of an outcome where no observables were asked.
    """

    batch_id: Key
    target: Target
    qubits: int
    observables: BlobRef | None
    shots: int | None
    execution: Execution
    results: tuple[SliceResult, ...]
    formed_at: datetime
    finished_at: datetime
    bits: int | None = None


class BatchFailed(Value, frozen=True):
    """A batch did not run; the fault holds for every member."""

    batch_id: Key
    target: Target
    members: tuple[Slice, ...]
    fault: Fault
    after_seconds: Seconds = 0.0
