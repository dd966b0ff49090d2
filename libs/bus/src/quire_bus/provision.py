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
from nats.js.api import StreamConfig

from quire_bus.broker_config import blob_config, bucket_config, consumer_config, stream_config
from quire_bus.connection import connect
from quire_bus.settings import provision_settings
from quire_contracts.topology import BUCKETS, CONSUMERS, STREAMS, Consumer
from quire_resilience.errors import QuireError, Transient

if TYPE_CHECKING:
    from nats.js import JetStreamContext

    from quire_bus.connection import Connection

_LOG = logging.getLogger("quire.bus")
_LEAST_VERSION: Final = (2, 12)
_TRIES: Final = 20
_MOST_HALVINGS: Final = 6
_NO_SPACE: Final = 10047
_NO_STORE: Final = 10049
_CREATIONS: Final = 5
_ROOM: Final = "QUIRE_ROOM"


class ProvisionError(QuireError):
    """The broker is too old, has no JetStream, or keeps something that differs from the topology and cannot change."""


async def provision(connection: Connection, *, replicas: int = 1) -> None:
    """Create or update everything in the topology; doing it again changes nothing and loses nothing.

    replicas: copies of every stream; 3 in production.

    A broker whose `max_file_store` is smaller than all the limits together gets smaller limits, for a laptop's sake; a
    deployment gives it the room that the topology names.

    Raises:
        ProvisionError: for a broker below 2.12, or one whose state differs from the topology afterwards.
        Transient: if JetStream does not answer (a broker that has just started is waited for).
    """
    _check_version(connection)
    js = connection.client.jetstream(timeout=connection.settings.timeout_seconds)
    await _wait_ready(js)
    await _streams(js, replicas)
    for consumer in CONSUMERS:
        await _consumer(js, consumer)


async def _streams(js: JetStreamContext, replicas: int) -> None:
    configs = [
        *(stream_config(stream, replicas) for stream in STREAMS),
        *(bucket_config(bucket, replicas) for bucket in BUCKETS),
        blob_config(replicas),
    ]
    found = {str(config.name): await _existing(js, str(config.name)) for config in configs}
    new = [config for config in configs if found[str(config.name)] is None]
    halvings = await _halvings(js, sum(max(0, config.max_bytes or 0) for config in new), replicas)
    for config in configs:
        existing = found[str(config.name)]
        try:
            if existing is None:
                if (config.max_bytes or 0) > 0:
                    config.max_bytes = int(config.max_bytes or 0) >> halvings
                existing = await _made(js, config)
            else:
                existing = await _changed(js, config, existing)
        except nats.js.errors.APIError as error:
            reason = f"the stream {config.name} cannot be made as the topology says: {error.description}"
            raise ProvisionError(reason) from error
        if differing := differences(config, existing):
            raise ProvisionError(f"the stream {config.name} differs from the topology: {differing}")


async def _made(js: JetStreamContext, config: StreamConfig) -> StreamConfig:
    """A new stream.

    The broker clears an account's folder away behind its last stream's deletion (that of `_halvings`), and a creation
    that meets this fails to make its store: once in 300 times here, and never twice in a row.
    """
    for remaining in range(_CREATIONS - 1, -1, -1):
        try:
            return (await js.add_stream(config)).config
        except nats.js.errors.ServerError as error:
            if error.err_code != _NO_STORE or not remaining:
                raise
            await asyncio.sleep(0.05)
    raise AssertionError


async def _existing(js: JetStreamContext, name: str) -> StreamConfig | None:
    try:
        return (await js.stream_info(name)).config
    except nats.js.errors.NotFoundError:
        return None


async def _changed(js: JetStreamContext, config: StreamConfig, existing: StreamConfig) -> StreamConfig:
    """The stream as the topology says; asked for only where it differs, for a full broker refuses even that.

    A smaller limit stays: it was made where there was no room for more.
    """
    if 0 < (existing.max_bytes or 0) < (config.max_bytes or 0):
        _LOG.warning("the stream %s keeps its smaller limit of %s bytes", config.name, existing.max_bytes)
        config.max_bytes = existing.max_bytes
    if not (differing := differences(config, existing)):
        return existing
    _LOG.warning("the stream %s is changed to what the topology says: %s", config.name, differing)
    return (await js.update_stream(config)).config


async def _halvings(js: JetStreamContext, needed: int, replicas: int) -> int:
    """How often the new streams' limits must be halved to fit; found by reserving the sum once, and releasing it.

    Raises:
        ProvisionError: if there is no room for a sixty-fourth of it.
    """
    for halvings in range(_MOST_HALVINGS + 1):
        if not needed:
            return 0
        room = StreamConfig(name=_ROOM, subjects=["quire.room"], max_bytes=needed >> halvings, num_replicas=replicas)
        try:
            await js.add_stream(room)
        except nats.js.errors.APIError as error:
            if error.err_code != _NO_SPACE:
                raise ProvisionError(f"a stream cannot be made: {error.description}") from error
            _LOG.warning("no room for streams of %d bytes; trying half of that", needed >> halvings)
        else:
            await js.delete_stream(_ROOM)
            return halvings
    raise ProvisionError("the broker has no room for the streams: give it a larger max_file_store")


async def _consumer(js: JetStreamContext, consumer: Consumer) -> None:
    config = consumer_config(consumer)
    try:
        info = await js.add_consumer(consumer.stream, config)
    except nats.js.errors.APIError as error:
        reason = f"the consumer {consumer.durable} cannot be made as the topology says: {error.description}"
        raise ProvisionError(reason) from error
    if differing := differences(config, info.config):
        raise ProvisionError(f"the consumer {consumer.durable} differs from the topology: {differing}")


def differences(wanted: object, found: object) -> str:
    """Each field that we set and that is not as we set it; empty if there is none.

    Looked at after a change too: an older broker silently ignores what it does not know.
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
    return "; ".join(differing)


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
