"""The canonical record of a job: one small document, rewritten by the control plane alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quire_contracts.appraisal import Appraisal
from quire_contracts.continuation import Continuation
from quire_contracts.document import JobKind
from quire_contracts.family import Family, Parent
from quire_contracts.preparation import Baseline, MethodSeconds, Preparation
from quire_contracts.result import Best, JobResult, Round, Screened
from quire_contracts.task import Task
from quire_contracts.value import (
    BlobRef,
    Execution,
    Fault,
    Key,
    Name,
    Phase,
    Priority,
    Problem,
    Seconds,
    Sha256,
    Target,
    Tenant,
    Text,
    Timing,
    Value,
)
from quire_contracts.verdict import AnswerRules

JobState = Literal[
    "queued", "validated", "submitted", "running", "retrieved", "scored", "completed", "failed", "cancelled", "rejected"
]
TERMINAL: frozenset[JobState] = frozenset({"completed", "failed", "cancelled", "rejected"})


class Step(Value, frozen=True):
    """A state that the job reached, when, and the id of the message that brought it there."""

    state: JobState
    at: datetime
    cause: str
    note: str = ""


Action = Literal[
    "first", "again", "recompile", "other", "simulator", "alone", "wait", "cached", "classical", "end", "replay"
]
"""What was done with a task: sent for the first time, a step of its fallback chain, or run again on request."""


class Decision(Value, frozen=True):
    """What was done with a task and why: the rules that matched, what was passed over, or what had gone wrong before.

    `target` is where the work went, `origin` where it had been before; they are the same where it went nowhere else.
    """

    at: datetime
    task_id: Key
    target: Target
    fallbacks: tuple[Target, ...]
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    shots: int | None = None
    """Of each circuit, where they were lowered; the reasons say why."""

    delay_seconds: Seconds = 0.0
    """How long the work was held back; of a wait, until somebody looks again."""

    action: Action = "first"
    attempt: Annotated[int, Meta(ge=1)] = 1
    origin: Target | None = None
    fault_code: Annotated[str, Meta(max_length=64)] = ""
    figures: dict[str, float] = msgspec.field(default_factory=dict)
    """What was known and reckoned when it was decided, with units in the names."""


class Replay(Value, frozen=True):
    """What a job repeats: the job `of`, at `target` alone where one was named, each circuit with so many shots.

    `shots` is None where nobody had lowered those of the first job.
    """

    of: Key
    target: Target | None = None
    shots: int | None = None


class Checkpoint(Value, frozen=True):
    """A loop after its last full round: enough to go on as if nothing had happened.

    `optimizer` is the optimiser's complete state as plain JSON, its random generator's state included. `patience` and
    `min_improvement` are the document's; `stopped` says why there were fewer than `rounds`, where there were.
    """

    phase: Literal["sweep", "round", "final"]
    round: int
    rounds: int
    optimizer: dict[str, object]
    best_parameters: tuple[float, ...]
    best_objective: float | None
    history: Annotated[tuple[Round, ...], Meta(max_length=1_000)] = ()
    patience: int | None = None
    min_improvement: float = 0.0
    stopped: Text = ""
    best_std_error: float | None = None
    """Of the best objective, where it was estimated from shots."""

    circuit: int = 0
    """Of the loop's circuits, where it has several: the one in use, which the job's preparation is of. The best
    parameters are those of `best_circuit`."""

    best_circuit: int = 0
    screened: Annotated[tuple[Screened, ...], Meta(max_length=8)] = ()
    """What the pre-screen has found of each circuit so far, where it chooses between several."""

    settings: dict[str, object] = msgspec.field(default_factory=dict)
    """The optimiser's, as the document has them, where a later step of the loop begins a run of its own."""


class Hold(Value, frozen=True):
    """A task that nobody has: it waits here for one of `targets`, and is looked at again `until` then at the latest."""

    since: datetime
    until: datetime
    targets: tuple[Target, ...]
    reason: Text = ""


class Away(Value, frozen=True):
    """A target that said to a task that it takes no work, and when it is asked again."""

    target: Target
    until: datetime
    reason: Text = ""


class Pending(Value, frozen=True):
    """A task in flight, or held back; `tried` names the targets it was sent to, in order, `faults` what they answered.

    `ruled_out` cannot do it; at `failures` it really failed, once for each time; `away` take no work for a while;
    `waiting_since` is when it first had to wait for a target. While it is `held` its attempt has not been sent.
    """

    task: Task
    since: datetime
    tried: tuple[Target, ...] = ()
    faults: tuple[Fault, ...] = ()
    held: Hold | None = None
    ruled_out: tuple[Target, ...] = ()
    failures: tuple[Target, ...] = ()
    away: tuple[Away, ...] = ()
    waiting_since: datetime | None = None


class Left(Value, frozen=True):
    """A task that was out when its job ended: sent to `target` at `since`. Should it be answered, that is evidence."""

    task_id: Key
    attempt: int
    target: Target
    phase: Phase
    round: int
    since: datetime


class Awaiting(Value, frozen=True):
    """What a job does as soon as its baseline is there, or is known not to come: nothing of it is out meanwhile.

    `then` says what: the last sampling of its loop, the gathering of its children's answers, or its end with the best
    there is, for `reason`. `fault` ends it where there is nothing to end with.
    """

    then: Literal["sample", "gather", "end"]
    since: datetime
    reason: Text = ""
    fault: Fault | None = None


class JobRecord(Value, frozen=True):
    """All that is known of a job.

    An answer counts only while its task is `pending`, so that a repeated or late one changes nothing. `seeded` says
    that the job named its seed: its results are then repeatable. `history` has the first time of each state;
    `timings` is summed by stage; `executions` are the latest.
    """

    job_id: Key
    tenant: Tenant
    kind: JobKind
    name: Name
    project: str
    priority: Priority
    tags: dict[str, str]
    targets: tuple[Target, ...]
    seed: int
    seeded: bool
    content_sha256: Sha256
    document: BlobRef
    state: JobState
    accepted_at: datetime
    updated_at: datetime
    history: tuple[Step, ...]
    trace_id: str = ""
    traceparent: str | None = None
    deadline_at: datetime | None = None
    max_shots: int | None = None
    max_usd: float | None = None
    max_seconds: float | None = None
    """Of execution, at all targets together."""

    min_shots: int | None = None
    """Shots of each circuit that will do where backends are overloaded."""

    preparation: Preparation | None = None
    baseline_seconds: Seconds = 0.0
    method_seconds: MethodSeconds = msgspec.field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    pending: tuple[Pending, ...] = ()
    decisions: Annotated[tuple[Decision, ...], Meta(max_length=100)] = ()
    executions: Annotated[tuple[Execution, ...], Meta(max_length=100)] = ()
    timings: Annotated[tuple[Timing, ...], Meta(max_length=100)] = ()
    shots: int = 0
    cost_usd: float = 0.0
    best: Best | None = None
    result: JobResult | None = None
    result_ref: BlobRef | None = None
    degraded: bool = False
    reason: str = ""
    fault: Fault | None = None
    problems: tuple[Problem, ...] = ()
    replay: Replay | None = None
    left: Annotated[tuple[Left, ...], Meta(max_length=100)] = ()
    parent: Parent | None = None
    family: Family | None = None
    continues: Continuation | None = None
    appraisals: Annotated[tuple[Appraisal, ...], Meta(max_length=100)] = ()
    """What gateways said of its work, the newest of each target that is a device or may cost money."""
    rules: AnswerRules | None = None
    """What its answer must satisfy to count, where the job says it."""

    needs_review: Text = ""
    """Why a person is to look at its answer; empty where nobody has to."""

    baseline: Baseline | None = None
    """The classical answer, from when it was found beside the quantum work; see `baseline_of`."""

    baseline_to_come: bool = False
    """Whether it is found beside the quantum work, as the job was told when it was prepared."""

    baseline_fault: Fault | None = None
    """Why there is none."""

    awaiting: Awaiting | None = None

    @property
    def is_over(self) -> bool:
        """Whether the job has ended; an ended record changes no more."""
        return self.state in TERMINAL


def evolve(record: JobRecord, **changes: object) -> JobRecord:
    """The record with some fields replaced."""
    return msgspec.structs.replace(record, **changes)


def baseline_of(record: JobRecord) -> Baseline | None:
    """The classical answer to the job's problem; None where there is none (yet), and before the job is prepared.

    A release that found it before the job ran has put it where the preparation is, or the plan of a family.
    """
    if record.preparation is None and record.family is None:
        return None
    if record.baseline is not None:
        return record.baseline
    if record.family is not None:
        return record.family.baseline
    return record.preparation.baseline if record.preparation is not None else None


def awaits_baseline(record: JobRecord) -> bool:
    """Whether the classical answer is still being found."""
    return record.baseline_to_come and record.baseline is None and record.baseline_fault is None
