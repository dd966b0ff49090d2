"""What happens to one delivered message: decode, inbox, handler, failure policy, acknowledgement."""

from __future__ import annotations

import logging
import random
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import nats.errors

from quire_bus import codec, tracing
from quire_bus.codec import Arrived
from quire_bus.compose import Sender
from quire_bus.delivery import Delivery
from quire_bus.envelope import Meta, Outgoing, message_id
from quire_bus.errors import AlreadyDone, Conflict, DecodeError, fault_of
from quire_bus.trials import NO_TROUBLE, is_guilty, is_suspect, may_be_suspect
from quire_bus.unreadable import abandoned
from quire_contracts.value import Fault
from quire_resilience.backoff import Backoff
from quire_resilience.errors import Permanent, Transient

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from nats.aio.msg import Msg

    from quire_bus.dead_letters import DeadLetters
    from quire_bus.message import Message
    from quire_bus.router import Consumption
    from quire_bus.trials import Trials
    from quire_contracts.value import Value

_LOG = logging.getLogger("quire.bus")
_BACKOFF: Final = Backoff(base=0.25, cap=20.0)
_LONGEST_DELAY: Final = 60.0
"""Seconds. A delayed message counts against the consumer's `max_ack_pending`, so it is not parked for longer."""

_CONFLICT_RUNS: Final = 5
_REASON_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Processor:
    """Handles the deliveries of one consumption; `__call__` never raises and settles every message it is given.

    around: a context for each run of the handler, so that what it logs carries the message's ids.
    """

    consumption: Consumption
    sender: Sender
    dead_letters: DeadLetters
    trials: Trials
    around: Callable[[Meta], AbstractContextManager[object]] = nullcontext

    async def __call__(self, message: Message) -> None:
        """Process and settle one delivery: acknowledged, or to be delivered again after a delay."""
        arrived = message.arrived()
        try:
            delay = await self._settle(arrived)
        except Exception as error:  # noqa: BLE001 - a failure of the failure path: the broker keeps the message for us
            _LOG.warning("%s: message %s stays with the broker: %s", self._durable, arrived.stream_sequence, error)
            delay = _BACKOFF.delay(arrived.attempt, random.random)
        try:
            message.ack() if delay is None else message.nak(delay)
        except nats.errors.Error as error:  # it will be delivered again, and the inbox knows what was done
            _LOG.warning("%s: message %s is not acknowledged: %s", self._durable, arrived.stream_sequence, error)

    @property
    def _durable(self) -> str:
        return self.consumption.consumer.durable

    async def _settle(self, arrived: Arrived) -> float | None:
        """None when the message is done with, else the seconds after which it shall come again."""
        row = self.consumption
        try:
            opened = codec.open_envelope(arrived)
            message: Value = codec.decode_body(row.entry, opened)
        except DecodeError as error:
            await self._undecodable(arrived, error)
            return None
        with tracing.processing(self.sender.tracer, row.entry, opened.meta, self._durable) as span:
            delivery = self._delivery(opened.meta, message)
            if await delivery.is_marked():
                return None
            trouble = await self.trials.known(self._durable, arrived) if may_be_suspect(arrived) else NO_TROUBLE
            if is_guilty(trouble):
                await self._give_up(
                    arrived, delivery, _given_up(arrived.attempt - 1), "it ended every process that tried"
                )
                return None
            try:
                if is_suspect(arrived, trouble):
                    async with self.trials.trial(self._durable, arrived, trouble):
                        await self._run(delivery)
                else:
                    await self._run(delivery)
            except Exception as error:  # noqa: BLE001 - every failure is classified here, none may stop the consumer
                tracing.failed(span, error)
                return await self._failed(arrived, delivery, error)
            return None

    async def _run(self, delivery: Delivery[Any]) -> None:
        """The handler, again at once while a record changes under it; then the mark, if it left that to us."""
        for remaining in range(_CONFLICT_RUNS - 1, -1, -1):
            try:
                with self.around(delivery.meta):
                    await self.consumption.handler(delivery.message, delivery)
                if not delivery.committed:
                    await delivery.commit()
            except Conflict:
                if not remaining:
                    raise
            else:
                return

    async def _failed(self, arrived: Arrived, delivery: Delivery[Any], error: Exception) -> float | None:
        row = self.consumption
        if isinstance(error, AlreadyDone) and delivery.mark in error.subjects:
            return None
        if delivery.committed:
            # Its answer is out; what failed came after the commit, and running it again could not change the answer.
            _LOG.error("%s: the handler raised after its commit", self._durable, exc_info=error)
            return None
        if isinstance(error, Permanent):
            if row.failed is None:
                await self.dead_letters.bury(arrived, row.entry, row.consumer, fault_of(error), "permanent")
            await self._answer(delivery, fault_of(error))
            return None
        if not isinstance(error, (Transient, AlreadyDone)):
            _LOG.error("%s: attempt %d failed", self._durable, arrived.attempt, exc_info=error)
        failures = await self.trials.failed(self._durable, arrived)
        if failures >= row.attempts or arrived.attempt >= row.consumer.max_deliver:
            fault = fault_of(error) if isinstance(error, Transient) else _given_up(failures)
            await self._give_up(arrived, delivery, fault, _named(error))
            return None
        retry_after = error.retry_after if isinstance(error, Transient) else None
        return min(_LONGEST_DELAY, _BACKOFF.delay(arrived.attempt, random.random, retry_after=retry_after))

    async def _give_up(self, arrived: Arrived, delivery: Delivery[Any], fault: Fault, why: str) -> None:
        """Dead letter first: if the answer cannot be committed, the message comes again, and its letter is the same.

        `why` is for the operator who reads the dead letter; the house and its users are told `fault`.
        """
        detailed = msgspec.structs.replace(fault, reason=f"{fault.reason}: {why}"[:_REASON_CHARACTERS])
        row = self.consumption
        await self.dead_letters.bury(arrived, row.entry, row.consumer, detailed, "attempts")
        await self._answer(delivery, fault)

    async def _answer(self, delivery: Delivery[Any], fault: Fault) -> None:
        """Tell the house, by the router's pure `failed`, that this message could not be done."""
        failed = self.consumption.failed
        try:
            events = () if failed is None else failed(delivery.message, delivery.meta, fault)
            await delivery.commit(*events)
        except AlreadyDone:
            return

    async def _undecodable(self, arrived: Arrived, error: DecodeError) -> None:
        """No second try: the bytes will not change. The sender of a raw one can be told; else its jobs are ended."""
        row = self.consumption
        await self.dead_letters.bury(arrived, row.entry, row.consumer, fault_of(error), "undecodable")
        if row.failed is None:
            return
        try:
            tenant, key = codec.tokens_of(arrived.subject)
        except DecodeError:
            return
        meta = _stand_in(arrived, tenant, key, row.entry.type)
        if row.entry.raw:
            message = codec.raw_message(row.entry, tenant, key, arrived.body, codec.JSON)
            await self._answer(self._delivery(meta, message), fault_of(error))
            return
        words = await abandoned(row.entry, tenant, key, arrived.body, self.sender.store.last)
        if words:
            # Numbered, because jobs of two tenants may be namesakes.
            said = [Outgoing(word, attempt=number) for number, word in enumerate(words)]
            with suppress(AlreadyDone):
                await self._delivery(meta, words[0]).commit(*said)

    def _delivery(self, meta: Meta, message: Value) -> Delivery[Any]:
        return Delivery(self.sender, meta, message, durable=self._durable, inbox=self.consumption.inbox)


def arrived_of(message: Msg) -> Arrived:
    """A delivery of nats-py's own as the codec reads it."""
    metadata = message.metadata
    return Arrived(
        subject=message.subject,
        headers=message.headers,
        body=message.data,
        time=metadata.timestamp,
        attempt=metadata.num_delivered or 1,
        stream_sequence=metadata.sequence.stream,
    )


def _stand_in(arrived: Arrived, tenant: str, key: str, type_: str) -> Meta:
    """An envelope for a message whose own is broken; its id is deterministic in its place on the log."""
    return Meta(
        id=message_id(type_, str(arrived.stream_sequence), cause_id="undecodable"),
        source="/unknown",
        type=type_,
        time=arrived.time,
        tenant=tenant,
        key=key,
        correlation_id=key,
        attempt=arrived.attempt,
        stream_sequence=arrived.stream_sequence,
        subject=arrived.subject,
    )


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _given_up(attempts: int) -> Fault:
    """What a user is told of a bug: how often it was tried. The exception's own words are for the dead letter."""
    return Fault(
        kind="unknown",
        code="given-up",
        reason=f"given up after {attempts} attempts",
        next_step="Report this with the job's id; the dead letter holds the message.",
        retryable=False,
    )
