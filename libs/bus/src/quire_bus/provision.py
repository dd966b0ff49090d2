"""Making what the topology names: streams, consumers, buckets; idempotent, and loud where the broker differs.

Run once at deployment (`python -m quire_bus.provision`, see `quire_bus.settings` for its environment) by the only
identity that may: no service creates or changes anything on the broker.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from typing import TYPE_CHECKING, Final

import nats.errors
import nats.js.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, StorageType, StreamConfig

from quire_bus.blobs import BLOB_STREAM, BLOB_SUBJECTS
from quire_bus.buckets import bucket_stream
from quire_bus.connection import connect
from quire_bus.settings import provision_settings
from quire_contracts.topology import BUCKETS, CONSUMERS, OBJECTS, STREAMS, Bucket, Consumer, Stream
from quire_resilience.errors import QuireError, Transient

if TYPE_CHECKING:
    from nats.js import JetStreamContext

    from quire_bus.connection import Connection

_LOG = logging.getLogger("quire.bus")
_LEAST_VERSION: Final = (2, 12)
_TRIES: Final = 20


class ProvisionError(QuireError):
    """The broker is too old, has no JetStream, or keeps something that differs from the topology and cannot change."""


async def provision(connection: Connection, *, replicas: int = 1) -> None:
    """Create or update everything in the topology; doing it again changes nothing and loses nothing.

    replicas: copies of every stream; 3 in production.

    Raises:
        ProvisionError: for a broker below 2.12, or one whose state differs from the topology afterwards.
        Transient: if JetStream does not answer (a broker that has just started is waited for).
    """
    _check_version(connection)
    js = connection.client.jetstream(timeout=connection.settings.timeout_seconds)
    await _wait_ready(js)
    for stream in STREAMS:
        await _stream(js, stream_config(stream, replicas))
    for bucket in BUCKETS:
        await _stream(js, bucket_config(bucket, replicas))
    await _stream(js, blob_config(replicas))
    for consumer in CONSUMERS:
        await _consumer(js, consumer)


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
        max_bytes=-1 if stream.atomic else stream.max_bytes,
        discard=DiscardPolicy.OLD if stream.atomic else DiscardPolicy.NEW,
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


async def _stream(js: JetStreamContext, config: StreamConfig) -> None:
    try:
        try:
            info = await js.add_stream(config)
        except nats.js.errors.BadRequestError as error:
            if error.err_code != 10058:  # noqa: PLR2004 - the broker's "name already in use with a different configuration"
                raise
            info = await js.update_stream(config)
            _LOG.warning("the stream %s was changed to what the topology says", config.name)
    except nats.js.errors.APIError as error:
        raise ProvisionError(
            f"the stream {config.name} cannot be made as the topology says: {error.description}"
        ) from error
    _compare(f"stream {config.name}", config, info.config)


async def _consumer(js: JetStreamContext, consumer: Consumer) -> None:
    config = consumer_config(consumer)
    try:
        info = await js.add_consumer(consumer.stream, config)
    except nats.js.errors.APIError as error:
        reason = f"the consumer {consumer.durable} cannot be made as the topology says: {error.description}"
        raise ProvisionError(reason) from error
    _compare(f"consumer {consumer.durable}", config, info.config)


def _compare(what: str, wanted: object, found: object) -> None:
    """Every field that we set is as we set it: an older broker silently ignores what it does not know.

    Raises:
        ProvisionError: naming each field that differs.
    """
    differing = []
    for name, value in vars(wanted).items():
        actual = getattr(found, name, None)
        if value is None or (not value and not actual):
            continue
        if name == "filter_subjects" and not actual:
            actual = [getattr(found, "filter_subject", None)]
        if str(actual) != str(value) and actual != value:
            differing.append(f"{name} is {actual!r}, not {value!r}")
    if differing:
        raise ProvisionError(f"the {what} differs from the topology: {'; '.join(differing)}")


def _check_version(connection: Connection) -> None:
    text = str(connection.client.connected_server_version)
    numbers = tuple(int(number) for number in re.findall(r"\d+", text)[:2])
    if numbers < _LEAST_VERSION:
        raise ProvisionError(f"the broker is version {text}; atomic batches and schedules need 2.12 or newer")


async def _wait_ready(js: JetStreamContext) -> None:
    for remaining in range(_TRIES, 0, -1):
        try:
            await js.account_info()
        except nats.js.errors.ServiceUnavailableError:
            raise ProvisionError("the broker runs without JetStream") from None
        except (nats.errors.Error, TimeoutError) as error:
            if remaining == 1:
                raise Transient(f"JetStream does not answer: {error}", code="no-jetstream") from error
            await asyncio.sleep(0.25)
        else:
            return


async def _main() -> int:
    settings, replicas = provision_settings()
    try:
        connection = await connect(settings)
        try:
            await provision(connection, replicas=replicas)
        finally:
            await connection.close()
    except QuireError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    sys.exit(asyncio.run(_main()))
