"""FastStream, fenced: its broker on our connection, its subscribers on our pull loop, its middlewares none.

FastStream gives the broker, its registry of subscribers and their lifecycle. What it does loosely or per message is
done here instead: it declares nothing, it acknowledges nothing (`AckPolicy.MANUAL`), and messages go from
`quire_bus.pull` straight to the handler (its own way costs 170 us a message, measured: a stack of middlewares, a parsed
message, an acknowledgement watcher). What is used of its inside is pinned by the version range in pyproject.toml and by
the tests of this package.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from faststream import AckPolicy
from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.broker.registrator import NatsRegistrator
from faststream.nats.subscriber.config import NatsSubscriberConfig, NatsSubscriberSpecificationConfig
from faststream.nats.subscriber.specification import NotIncludeSpecifation
from faststream.nats.subscriber.usecases import PullStreamSubscriber
from nats.js.api import ConsumerConfig

from quire_bus.pull import Puller

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from faststream.message import StreamMessage
    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from quire_bus.connection import Connection
    from quire_bus.message import Message
    from quire_contracts.topology import Consumer


_LAST_SECONDS = 2.0  # for a cancelled handler to go; one that refuses is left to the end of the process


class SharedConnectionBroker(NatsBroker):
    """A FastStream broker on a connection that it neither makes nor closes."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(
            apply_types=False,  # no injection: handlers close over what they need
            logger=None,
            graceful_timeout=connection.settings.graceful_seconds,
        )
        self._shared = connection.client

    async def _connect(self) -> Client:
        self.config.connect(self._shared)
        return self._shared

    async def stop_within(self, seconds: float) -> None:
        """Stop all subscribers together, each waiting up to `seconds` for its handlers; the connection stays."""
        self.config.broker_config.graceful_timeout = seconds
        await asyncio.gather(*(subscriber.stop() for subscriber in self.subscribers))
        self.running = False


class DurableSubscriber(PullStreamSubscriber):
    """FastStream's pull subscriber with our loop in it."""

    puller: Puller

    async def _create_subscription(self) -> None:
        self._pulling = asyncio.create_task(self.puller.run(), name=f"pull {self.puller.consumer.durable}")

    async def stop(self) -> None:
        """Stop pulling, wait for the running handlers as long as the broker's grace allows, and cancel the rest."""
        await self.puller.stop()
        await super().stop()
        pulling = getattr(self, "_pulling", None)
        if pulling is not None:
            await asyncio.wait([pulling], timeout=self._outer_config.graceful_timeout)
            self.puller.give_up()
            await asyncio.wait([pulling], timeout=_LAST_SECONDS)


def mount(
    broker: SharedConnectionBroker,
    connection: Connection,
    consumer: Consumer,
    handle: Callable[[Message], Coroutine[Any, Any, None]],
    *,
    workers: int,
    ahead: int = 0,
) -> DurableSubscriber:
    """Add a subscriber of one durable to the broker; it begins with the broker's `start`. `ahead`: as of `Puller`."""
    calls: CallsCollection[Any] = CallsCollection()
    subject = consumer.filters[0]
    subscriber = DurableSubscriber(
        config=NatsSubscriberConfig(
            subject=subject,
            sub_config=ConsumerConfig(filter_subjects=list(consumer.filters)),
            extra_options={"durable": consumer.durable, "stream": consumer.stream},
            no_reply=True,
            _outer_config=broker.config,  # type: ignore[arg-type]  # the composed config stands in for the plain one
            _ack_policy=AckPolicy.MANUAL,
        ),
        specification=NotIncludeSpecifation(
            _outer_config=broker.config,  # type: ignore[arg-type]
            calls=calls,
            specification_config=NatsSubscriberSpecificationConfig(
                subject=subject,
                queue=None,
                filter_subjects=list(consumer.filters),
                title_=None,
                description_=None,
                include_in_schema=False,
            ),
        ),
        calls=calls,
        queue="",
        stream=JStream(consumer.stream, declare=False),
        pull_sub=PullSub(batch_size=1),
    )
    subscriber.puller = Puller(connection, consumer, workers, handle, ahead=ahead)
    subscriber.add_call(parser_=None, decoder_=cast("Any", _as_it_is), dependencies_=())
    subscriber(handle)
    super(NatsRegistrator, broker).subscriber(subscriber)
    return subscriber


async def _as_it_is(message: StreamMessage[Msg]) -> Msg:
    return message.raw_message
