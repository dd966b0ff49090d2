"""What exists on the broker, in one table: streams, consumers, buckets. `quire_bus.provision` alone makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quire_contracts import batch, family, job, preparation, task
from quire_contracts.registry import entry_of
from quire_contracts.value import Value

DAY: Final = 24 * 3600.0
MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream with limits retention; when full it refuses, it never forgets. Ages in seconds, sizes in bytes.

    `max_bytes` None leaves the limit to the broker's `max_file_store`: the broker does not let a stream with schedules
    refuse by a limit of its own.
    """

    name: str
    subjects: tuple[str, ...]
    max_age: float
    max_bytes: int | None
    atomic: bool = False
    """Atomic batches, per-message time to live and scheduled messages are allowed."""

    duplicate_window: float = 120.0


@dataclass(frozen=True, slots=True)
class Consumer:
    """A durable pull consumer of one service.

    `ack_wait` (seconds) is how soon a killed worker's message comes back; heartbeats keep a slow one. `max_deliver`
    stands above the bus's own attempt limit, so that the bus dead-letters with a reason and the broker's limit is only
    the net. `max_ack_pending` bounds what all replicas together hold.
    """

    service: str
    durable: str
    filters: tuple[str, ...]
    stream: str = "QUIRE"
    ack_wait: float = 5.0
    max_deliver: int = 20
    max_ack_pending: int = 256


@dataclass(frozen=True, slots=True)
class Bucket:
    """A key-value bucket; `max_age` in seconds, 0 keeps for ever."""

    name: str
    history: int = 1
    max_age: float = 0.0
    max_bytes: int = 256 * MIB


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A bucket of content-addressed objects."""

    name: str
    max_age: float
    max_bytes: int


STREAM: Final = Stream(
    name="QUIRE",
    subjects=("quire.cmd.>", "quire.evt.>", "quire.rec.>", "quire.sched.>"),
    max_age=30 * DAY,
    max_bytes=None,
    atomic=True,
)
DEAD_STREAM: Final = Stream(
    name="QUIRE_DEAD",
    subjects=(
        "quire.dead.>",
        "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.QUIRE.>",
        "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.QUIRE.>",
    ),
    max_age=90 * DAY,
    max_bytes=512 * MIB,
)
STREAMS: Final = (STREAM, DEAD_STREAM)


def durable_name(service: str, message: type[Value]) -> str:
    """The durable of a service for a message class, as in `batching-task-run-v1`."""
    entry = entry_of(message)
    return f"{service}-{entry.noun}-{entry.verb}-v{entry.version}"


def _consumer(service: str, message: type[Value], *, max_ack_pending: int = 256) -> Consumer:
    return Consumer(
        service=service,
        durable=durable_name(service, message),
        filters=(entry_of(message).filter,),
        max_ack_pending=max_ack_pending,
    )


CONSUMERS: Final = (
    _consumer("control-plane", job.SubmitJob, max_ack_pending=4_096),
    _consumer("control-plane", job.CancelJob),
    _consumer("control-plane", job.ExpireJob),
    _consumer("control-plane", job.ReplayJob),
    _consumer("control-plane", job.AbandonJob),
    _consumer("control-plane", preparation.JobPrepared, max_ack_pending=4_096),
    _consumer("control-plane", preparation.PreparationFailed),
    _consumer("control-plane", preparation.BaselineFound, max_ack_pending=1_024),
    _consumer("control-plane", preparation.BaselineFailed),
    _consumer("control-plane", family.FamilyPlanned),
    _consumer("control-plane", family.ChildEnded, max_ack_pending=1_024),
    _consumer("control-plane", family.FamilyGathered),
    _consumer("control-plane", batch.BatchStarted),
    _consumer("control-plane", task.TaskScored, max_ack_pending=4_096),
    _consumer("control-plane", task.TaskFailed),
    _consumer("control-plane", task.ReviewTask),
    _consumer("preprocessing", preparation.PrepareJob, max_ack_pending=4_096),
    _consumer("preprocessing", preparation.FindBaseline, max_ack_pending=4_096),
    _consumer("preprocessing", family.GatherFamily),
    _consumer("batching", task.RunTask, max_ack_pending=10_000),
    _consumer("batching", task.CancelTask),
    _consumer("quantum-gateway", batch.ExecuteBatch, max_ack_pending=1_024),
    _consumer("quantum-gateway", batch.CancelBatch),
    _consumer("gpu-simulation", batch.SimulateBatch, max_ack_pending=64),
    _consumer("aggregation", batch.BatchExecuted),
    _consumer("aggregation", batch.BatchFailed),
    Consumer(service="ledger", durable="ledger-log", filters=("quire.evt.>",), max_ack_pending=4_096),
)
BUCKETS: Final = (
    Bucket("submissions", history=8),
    Bucket("backends"),
    Bucket("policy", history=16),
    Bucket("switches", history=16),
    Bucket("quotas"),
    Bucket("results", max_age=7 * DAY, max_bytes=1024 * MIB),
    Bucket("structures", max_age=7 * DAY),
    Bucket("baselines", max_age=7 * DAY, max_bytes=128 * MIB),
    Bucket("prospects", max_age=30 * DAY, max_bytes=128 * MIB),
)
OBJECTS: Final = ObjectStore("blobs", max_age=30 * DAY, max_bytes=8 * 1024 * MIB)


def consumer_of(service: str, message: type[Value]) -> Consumer:
    """The row of a service's consumer for a message class.

    Raises:
        LookupError: if the table has none; a service may consume only what stands here.
    """
    wanted = durable_name(service, message)
    for consumer in CONSUMERS:
        if consumer.durable == wanted:
            return consumer
    raise LookupError(f"topology.py gives {service} no consumer of {message.__name__}")
