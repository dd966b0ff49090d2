"""Who says and who hears each message: with the registry and the topology, the whole picture of the flow."""

from __future__ import annotations

from typing import Final

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
from quire_contracts.registry import REGISTRY, Entry
from quire_contracts.topology import CONSUMERS, Consumer
from quire_contracts.value import Value

UPSTREAM: Final = "upstream"
"""A team's own program at the door: it submits, and follows the lives of its jobs."""

SENDERS: Final[dict[type[Value], tuple[str, ...]]] = {
    job.SubmitJob: (UPSTREAM, "api"),
    job.CancelJob: (UPSTREAM, "api"),
    job.ExpireJob: ("control-plane",),
    job.ReplayJob: (UPSTREAM, "api"),
    job.AbandonJob: ("control-plane", "preprocessing", "batching", "quantum-gateway", "gpu-simulation", "aggregation"),
    job.JobAccepted: ("control-plane",),
    job.JobRejected: ("control-plane", "api"),
    job.SubmissionRefused: ("control-plane",),
    preparation.PrepareJob: ("control-plane",),
    preparation.JobPrepared: ("preprocessing",),
    preparation.PreparationFailed: ("preprocessing",),
    preparation.FindBaseline: ("preprocessing",),
    preparation.BaselineFound: ("preprocessing",),
    preparation.BaselineFailed: ("preprocessing", "control-plane"),
    family.FamilyPlanned: ("preprocessing",),
    family.ChildEnded: ("control-plane",),
    family.GatherFamily: ("control-plane",),
    family.FamilyGathered: ("preprocessing",),
    task.RunTask: ("control-plane",),
    task.ReviewTask: ("control-plane",),
    task.CancelTask: ("control-plane",),
    batch.ExecuteBatch: ("batching",),
    batch.CancelBatch: ("batching",),
    batch.SimulateBatch: ("batching",),
    batch.BatchStarted: ("quantum-gateway", "gpu-simulation"),
    batch.BatchExecuted: ("quantum-gateway", "gpu-simulation"),
    batch.BatchFailed: ("quantum-gateway", "gpu-simulation"),
    breaker.BreakerOpened: ("quantum-gateway",),
    breaker.BreakerHalfOpened: ("quantum-gateway",),
    breaker.BreakerClosed: ("quantum-gateway",),
    calibration.CalibrationChanged: ("quantum-gateway",),
    switch.SwitchTurned: ("api",),
    submission.BatchParked: ("quantum-gateway",),
    submission.DuplicateFound: ("quantum-gateway",),
    submission.OrphanFound: ("quantum-gateway",),
    task.TaskScored: ("aggregation",),
    task.TaskFailed: ("aggregation", "batching"),
    control.LoopAdvanced: ("control-plane",),
    evidence.EvidenceKept: ("control-plane",),
    job.JobCompleted: ("control-plane",),
    job.JobFailed: ("control-plane",),
    job.JobCancelled: ("control-plane",),
}
"""The services that say a message; each of them may."""

QUERIES: Final = (
    ("ledger", "jobs", "FindJobs", "JobList"),
    ("ledger", "events", "FindEvents", "EventList"),
    ("quantum-gateway", "parked", "FindParked", "ParkedList"),
    ("quantum-gateway", "settle", "SettleSubmission", "SubmissionSettled"),
    ("quantum-gateway", "appraise", "AppraiseWork", "Appraisal"),
    ("api", "answer", "AwaitAnswer", "BestAnswer"),
)
"""What can be asked: the service, the question's name, and the types of question and answer in `query`."""


def hears(consumer: Consumer, entry: Entry) -> bool:
    """Whether a durable gets the messages of an entry."""
    return any(_covers(pattern.split("."), entry.filter.split(".")) for pattern in consumer.filters)


def receivers(entry: Entry) -> tuple[Consumer, ...]:
    """The durables that get the messages of an entry."""
    return tuple(consumer for consumer in CONSUMERS if hears(consumer, entry))


def heard_upstream() -> tuple[Entry, ...]:
    """What a team's own program hears when it follows `quire.evt.<tenant>.*.*.*.<job>`."""
    return tuple(entry for entry in REGISTRY if entry.domain == "evt" and entry.tenant is not None)


def _covers(pattern: list[str], subject: list[str]) -> bool:
    """Whether a subject pattern takes everything that another one takes."""
    if pattern[-1] == ">":
        return len(subject) >= len(pattern) and _covers(pattern[:-1], subject[: len(pattern) - 1])
    return len(pattern) == len(subject) and all(p in ("*", s) for p, s in zip(pattern, subject, strict=True))
