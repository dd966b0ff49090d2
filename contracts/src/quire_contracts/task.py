"""A unit of quantum work of one job: one structure, many parameter sets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from quire_contracts.kernel import Gram
from quire_contracts.mitigation import Mitigation
from quire_contracts.result import Best, JobResult, Quality
from quire_contracts.value import (
    BlobRef,
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
    Text,
    Timing,
    Value,
)


class Expected(Value, frozen=True):
    """The mean energy that a task's circuit had before, with its standard error, and the target that it had it at."""

    energy: float
    std_error: float
    target: Target


class Scoring(Value, frozen=True):
    """What aggregation needs to score samples of an optimisation problem against its baseline.

    The objective is `scale * energy`; `reference` is the baseline's objective and `worst` the worst possible one,
    where known. `best` is the best answer of earlier tasks: the score is that of the better of the two.
    `problem` is the JSON of the problem, as in `preparation.Loop`; `reference` and `worst` are in its own units.
    Answers `of` values are energies, to be held against the reference; there are no assignments to score.
    """

    scale: Literal[1, -1]
    reference: float | None = None
    reference_exact: bool = False
    worst: float | None = None
    best: Best | None = None
    problem: BlobRef | None = None
    bound: float | None = None
    """What no feasible answer is better than, where known; in the problem's own units too."""

    expected: Expected | None = None
    """Of the last sampling: what its parameters had in their round. It holds for a simulator at that target alone."""

    of: Literal["samples", "values"] = "samples"
    cvar: Annotated[float, Meta(gt=0, le=1)] | None = None
    """The values of the task are means over this share of the shots, those of least energy; None for all."""


def scores_samples(scoring: Scoring | None) -> bool:
    """Whether the samples themselves are scored, so that their counts have to come and no values in their place."""
    return scoring is not None and scoring.of == "samples"


class Task(Value, frozen=True):
    """One structure, its parameter sets and what is asked of them.

    `observables` None asks for counts. `shots` None asks for exact values. The same task (structure, parameters,
    shots, seed) gives the same result on a simulator wherever and with whatever it is batched. `targets` is the
    routing decision: where to run, in order of preference; `attempt` counts from 1. `alone` keeps other tasks out of
    its batch: it failed in company, and it is to be known whose fault that was.
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
    alone: bool = False
    mitigation: Mitigation | None = None
    fresh: bool = False
    """It is run in any case: no answer of equal work is taken for it."""

    kernel: Gram | None = None
    """The matrix that its rows fill, where they do."""

    late: Late = "stop"
    """What becomes of it at a provider once its job has ended by its deadline, or with a lesser answer."""


class RunTask(Value, frozen=True):
    """Run a task at its target."""

    task: Task


class ReviewTask(Value, frozen=True):
    """Look again at a task that waits in its job's record for a target: one is back, or a patience has ended.

    `due` is when that patience ends; a task that meanwhile waits until another time is left alone then.
    """

    job_id: Key
    tenant: Tenant
    task_id: Key
    attempt: Annotated[int, Meta(ge=1)]
    due: datetime | None = None


class CancelTask(Value, frozen=True):
    """Nobody wants this attempt of a task any more.

    It is dropped where it waits, and stopped at its provider as `late` says.
    """

    job_id: Key
    tenant: Tenant
    task_id: Key
    attempt: Annotated[int, Meta(ge=1)]
    target: Target
    reason: Text = ""
    late: Late = "stop"


class TaskQuality(Value, frozen=True):
    """How far a task's answer can be trusted, and how good it is; the figures are defined at `result.Quality`."""

    checks: tuple[Text, ...] = ()
    """Names of the sanity checks that passed."""

    figures: Quality | None = None
    shots: int = 0
    """Shots that were run for this task, over all parameter sets and measurement groups."""


class TaskScored(Value, frozen=True):
    """A task's answer, fanned in, in one bit order, checked and scored.

    `values` and `std_errors` have shape [parameter sets, observables] and are inline for up to 2,048 numbers. The task
    of phase "main" carries the job's answer as its user reads it: in `result`, or as JSON behind `result_ref` where it
    is too large. `best` and the quality's figures are there when the task came with a `Scoring`.
    """

    job_id: Key
    tenant: Tenant
    task_id: Key
    phase: Phase
    round: int
    attempt: int
    values: Matrix | None
    std_errors: Matrix | None
    best: Best | None
    quality: TaskQuality
    executions: tuple[Execution, ...]
    timings: tuple[Timing, ...] = ()
    result: JobResult | None = None
    result_ref: BlobRef | None = None


class TaskFailed(Value, frozen=True):
    """A task has no usable answer at its target; the control plane decides what follows."""

    job_id: Key
    tenant: Tenant
    task_id: Key
    attempt: int
    target: Target
    fault: Fault
    after_seconds: Seconds = 0.0
    """Wait at least this long before the same target is tried again."""

    together: Annotated[int, Meta(ge=1)] = 1
    """Tasks that have this fault because their batch has it; 1 where it is the task's own."""
