"""Every message there is, in one table: its type, its subject, its key and who it is for."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final, Literal

from quire_contracts import (
    batch,
    breaker,
    calibration,
    control,
    evidence,
    family,
    job,
    preparation,
    submission,
    switch,
    task,
)
from quire_contracts.intake import SHARED_TENANT
from quire_contracts.value import Value

Domain = Literal["cmd", "evt"]

_reader: Final = cache(operator.attrgetter)
"""What reads a dotted path of a message."""


@dataclass(frozen=True)
class Entry:
    """One row: how a message class is named on the wire.

    `key` and `tenant` are dotted attribute paths into the message; a `tenant` of None means the shared tenant.
    `identity` paths, together with the cause and the attempt, make the message's deterministic id. A `raw` message's
    body is its `body` attribute as it is, not the JSON of the class.
    """

    message: type[Value]
    domain: Domain
    noun: str
    verb: str
    key: str
    identity: tuple[str, ...]
    tenant: str | None = "tenant"
    version: int = 1
    raw: bool = False

    @property
    def name(self) -> str:
        """Noun and verb, as in `job.submit`."""
        return f"{self.noun}.{self.verb}"

    @cached_property
    def type(self) -> str:
        """The CloudEvents type, as in `io.quire.job.submit.v1`."""
        return f"io.quire.{self.noun}.{self.verb}.v{self.version}"

    @property
    def filter(self) -> str:
        """The subject of all such messages, of every tenant and key."""
        return self.subject_for("*", "*")

    @property
    def template(self) -> str:
        """The subject with its variable tokens named, for documents and span attributes."""
        return self.subject_for("{tenant}", "{key}")

    def subject_for(self, tenant: str, key: str) -> str:
        """The subject of such a message for a tenant and a key, both already valid tokens."""
        return f"quire.{self.domain}.{tenant}.{self.noun}.{self.verb}.v{self.version}.{key}"

    def tenant_of(self, message: Value) -> str:
        """The tenant token of a message's subject."""
        return SHARED_TENANT if self.tenant is None else str(_reader(self.tenant)(message))

    def key_of(self, message: Value) -> str:
        """The key token of a message's subject: a job's or a batch's id."""
        return str(_reader(self.key)(message))

    def identity_of(self, message: Value) -> str:
        """What tells this message from its siblings of the same type and cause."""
        return "|".join([str(_reader(path)(message)) for path in self.identity])


REGISTRY: Final[tuple[Entry, ...]] = (
    Entry(job.SubmitJob, "cmd", "job", "submit", "job_id", ("job_id",), raw=True),
    Entry(job.CancelJob, "cmd", "job", "cancel", "job_id", ("job_id",)),
    Entry(job.ExpireJob, "cmd", "job", "expire", "job_id", ("job_id",)),
    Entry(job.ReplayJob, "cmd", "job", "replay", "job_id", ("job_id",)),
    Entry(job.AbandonJob, "cmd", "job", "abandon", "job_id", ("job_id",)),
    Entry(job.JobAccepted, "evt", "job", "accepted", "job_id", ("job_id",)),
    Entry(job.JobRejected, "evt", "job", "rejected", "job_id", ("job_id",)),
    Entry(job.SubmissionRefused, "evt", "submission", "refused", "submission", ("submission",)),
    Entry(preparation.PrepareJob, "cmd", "job", "prepare", "job_id", ("job_id",)),
    Entry(preparation.JobPrepared, "evt", "job", "prepared", "job_id", ("job_id",)),
    Entry(preparation.PreparationFailed, "evt", "preparation", "failed", "job_id", ("job_id",)),
    Entry(preparation.FindBaseline, "cmd", "baseline", "find", "job_id", ("job_id",)),
    Entry(preparation.BaselineFound, "evt", "baseline", "found", "job_id", ("job_id",)),
    Entry(preparation.BaselineFailed, "evt", "baseline", "failed", "job_id", ("job_id",)),
    Entry(task.RunTask, "cmd", "task", "run", "task.job_id", ("task.task_id", "task.attempt"), tenant="task.tenant"),
    Entry(task.CancelTask, "cmd", "task", "cancel", "job_id", ("task_id", "attempt")),
    Entry(batch.ExecuteBatch, "cmd", "batch", "execute", "batch.batch_id", ("batch.batch_id",), tenant=None),
    Entry(batch.SimulateBatch, "cmd", "batch", "simulate", "batch.batch_id", ("batch.batch_id",), tenant=None),
    Entry(batch.CancelBatch, "cmd", "batch", "cancel", "batch_id", ("batch_id", "task_id"), tenant=None),
    Entry(batch.BatchStarted, "evt", "batch", "started", "batch_id", ("batch_id",), tenant=None),
    Entry(batch.BatchExecuted, "evt", "batch", "executed", "batch_id", ("batch_id",), tenant=None),
    Entry(batch.BatchFailed, "evt", "batch", "failed", "batch_id", ("batch_id",), tenant=None),
    Entry(breaker.BreakerOpened, "evt", "breaker", "opened", "breaker_id", ("breaker_id", "at"), tenant=None),
    Entry(breaker.BreakerHalfOpened, "evt", "breaker", "half-opened", "breaker_id", ("breaker_id", "at"), tenant=None),
    Entry(breaker.BreakerClosed, "evt", "breaker", "closed", "breaker_id", ("breaker_id", "at"), tenant=None),
    Entry(
        calibration.CalibrationChanged, "evt", "calibration", "changed", "snapshot_id", ("snapshot_id",), tenant=None
    ),
    Entry(switch.SwitchTurned, "evt", "switch", "turned", "switch_id", ("switch_id", "at"), tenant=None),
    Entry(submission.BatchParked, "evt", "batch", "parked", "batch_id", ("batch_id", "since"), tenant=None),
    Entry(
        submission.DuplicateFound, "evt", "duplicate", "found", "batch_id", ("batch_id", "provider_job_id"), tenant=None
    ),
    Entry(submission.OrphanFound, "evt", "orphan", "found", "token", ("token", "provider_job_id"), tenant=None),
    Entry(task.ReviewTask, "cmd", "task", "review", "job_id", ("task_id", "attempt")),
    Entry(task.TaskScored, "evt", "task", "scored", "job_id", ("task_id", "attempt")),
    Entry(task.TaskFailed, "evt", "task", "failed", "job_id", ("task_id", "attempt")),
    Entry(evidence.EvidenceKept, "evt", "evidence", "kept", "job_id", ("task_id", "attempt")),
    Entry(control.LoopAdvanced, "evt", "loop", "advanced", "job_id", ("job_id", "round.round")),
    Entry(family.FamilyPlanned, "evt", "family", "planned", "job_id", ("job_id", "step")),
    Entry(family.GatherFamily, "cmd", "family", "gather", "job_id", ("job_id", "step")),
    Entry(family.FamilyGathered, "evt", "family", "gathered", "job_id", ("job_id", "step")),
    Entry(family.ChildEnded, "evt", "child", "ended", "job_id", ("child_id",)),
    Entry(job.JobCompleted, "evt", "job", "completed", "job_id", ("job_id",)),
    Entry(job.JobFailed, "evt", "job", "failed", "job_id", ("job_id",)),
    Entry(job.JobCancelled, "evt", "job", "cancelled", "job_id", ("job_id",)),
)

TERMINAL_EVENTS: Final = frozenset(
    {"io.quire.job.completed.v1", "io.quire.job.failed.v1", "io.quire.job.cancelled.v1", "io.quire.job.rejected.v1"}
)
"""The types of the events that end a job's life; exactly one of them is said of each job."""

_BY_CLASS: Final = {entry.message: entry for entry in REGISTRY}
_BY_TYPE: Final = {entry.type: entry for entry in REGISTRY}


def entry_of(message: Value | type[Value]) -> Entry:
    """The row of a message or message class.

    Raises:
        KeyError: if the class is no message.
    """
    return _BY_CLASS[message if isinstance(message, type) else type(message)]


def entry_named(type_: str) -> Entry | None:
    """The row of a CloudEvents type, or None where this release does not know it."""
    return _BY_TYPE.get(type_)


def job_life(tenant: str, job_id: str) -> str:
    """The subject filter that holds the whole life of one job."""
    return f"quire.evt.{tenant}.*.*.*.{job_id}"


def progress_subject(tenant: str, job_id: str) -> str:
    """Where a job's live progress is said; not stored."""
    return f"quire.progress.{tenant}.{job_id}"
