"""The topology's rows in the broker's own terms."""

from __future__ import annotations

from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, StorageType, StreamConfig

from quire_bus.blobs import BLOB_STREAM, BLOB_SUBJECTS
from quire_bus.buckets import bucket_stream
from quire_contracts.topology import OBJECTS, Bucket, Consumer, Stream


def stream_config(stream: Stream, replicas: int) -> StreamConfig:
    """A log stream: limits retention, and full means refused, so that nothing canonical is ever pushed out.

    The broker does not allow schedules on a stream that discards new messages (measured, 2.15.1). The stream that has
    them therefore gets no byte limit of its own, with which it would push out the oldest; the broker's
    `max_file_store` is its limit, and that one refuses.
    """
    return StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        max_age=stream.max_age,
        max_bytes=-1 if stream.max_bytes is None else stream.max_bytes,
        discard=DiscardPolicy.OLD if stream.max_bytes is None else DiscardPolicy.NEW,
        storage=StorageType.FILE,
        num_replicas=replicas,
        duplicate_window=stream.duplicate_window,
        allow_direct=True,
        allow_atomic=stream.atomic,
        allow_msg_ttl=stream.atomic,
        allow_msg_schedules=stream.atomic,
        allow_rollup_hdrs=stream.atomic,  # the broker sets it itself where schedules are allowed
    )


def bucket_config(bucket: Bucket, replicas: int) -> StreamConfig:
    """A key-value bucket as every NATS client expects one (NATS ADR-8)."""
    return StreamConfig(
        name=bucket_stream(bucket.name),
        subjects=[f"$KV.{bucket.name}.>"],
        max_msgs_per_subject=bucket.history,
        max_age=bucket.max_age,
        max_bytes=bucket.max_bytes,
        discard=DiscardPolicy.NEW,
        storage=StorageType.FILE,
        num_replicas=replicas,
        duplicate_window=min(120.0, bucket.max_age or 120.0),
        allow_direct=True,
        allow_rollup_hdrs=True,
        deny_delete=True,
        allow_msg_ttl=True,
    )


def blob_config(replicas: int) -> StreamConfig:
    """The content store: one message for each chunk of a blob."""
    return StreamConfig(
        name=BLOB_STREAM,
        description=f"content-addressed objects: {OBJECTS.name}",
        subjects=[BLOB_SUBJECTS],
        max_msgs_per_subject=1,
        max_age=OBJECTS.max_age,
        max_bytes=OBJECTS.max_bytes,
        discard=DiscardPolicy.NEW,
        storage=StorageType.FILE,
        num_replicas=replicas,
        duplicate_window=120.0,
        allow_direct=True,
    )


def consumer_config(consumer: Consumer) -> ConsumerConfig:
    """A durable pull consumer with explicit acknowledgement."""
    return ConsumerConfig(
        durable_name=consumer.durable,
        name=consumer.durable,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=consumer.ack_wait,
        max_deliver=consumer.max_deliver,
        max_ack_pending=consumer.max_ack_pending,
        filter_subjects=list(consumer.filters),
    )
