"""Questions and answers between services: core request and reply, one replica answers, faults travel as faults."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import nats.errors

from quire_bus.codec import decode_as
from quire_bus.errors import DecodeError, QueryFailed, Unanswered, fault_of
from quire_bus.subjects import query_subject, token
from quire_contracts.limits import MESSAGE_BYTES
from quire_contracts.value import Fault
from quire_resilience.errors import Permanent, QuireError, Transient

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from quire_bus.connection import Connection
    from quire_bus.router import Answering

A = TypeVar("A", bound=msgspec.Struct)

_LOG = logging.getLogger("quire.bus")
_FAULT = "quire-fault"


async def ask(
    connection: Connection, service: str, name: str, question: msgspec.Struct, answer: type[A], *, seconds: float = 2.0
) -> A:
    """Ask a service and wait up to `seconds` for its answer.

    Raises:
        Unanswered: nobody answers that question, or not in time.
        QueryFailed: the service answered with a permanent fault; a transient one raises Transient.
        DecodeError: the answer is not of the type `answer`.
    """
    subject = query_subject(token(service, "service"), token(name, "question"))
    try:
        reply = await connection.client.request(subject, msgspec.json.encode(question), timeout=seconds)
    except nats.errors.NoRespondersError:
        raise Unanswered(f"nobody answers {subject}") from None
    except (nats.errors.Error, TimeoutError):
        raise Unanswered(f"no answer to {subject} within {seconds:g} s") from None
    if reply.headers and _FAULT in reply.headers:
        fault: Fault = decode_as(Fault, reply.data)
        if fault.kind == "transient":
            raise Transient(fault.reason, code=fault.code)
        raise QueryFailed(fault)
    result: A = decode_as(answer, reply.data)
    return result


class Answerer:
    """Answers one question of a service until stopped."""

    def __init__(self, connection: Connection, service: str, answering: Answering) -> None:
        self._client = connection.client
        self._service = service
        self._answering = answering
        self._running: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Begin to answer."""
        subject = query_subject(self._service, token(self._answering.name, "question"))
        self._subscription = await self._client.subscribe(subject, queue=self._service, cb=self._on_request)
        await self._client.flush()  # from here on a question finds us

    async def stop(self, seconds: float) -> None:
        """Take no more questions and wait up to `seconds` for the answers being made."""
        if self._subscription is not None and not self._client.is_closed:
            await self._subscription.unsubscribe()
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def _on_request(self, request: Msg) -> None:
        task = asyncio.create_task(self._reply(request))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _reply(self, request: Msg) -> None:
        headers: dict[str, str] | None = None
        try:
            body = await self._answered(request.data)
        except QuireError as error:
            headers, body = {_FAULT: "1"}, msgspec.json.encode(fault_of(error))
        except Exception as error:  # noqa: BLE001 - the asker is told, and the service goes on answering
            _LOG.exception("the question %s failed", self._answering.name)
            headers, body = {_FAULT: "1"}, msgspec.json.encode(fault_of(error))
        if request.reply:
            try:
                await self._client.publish(request.reply, body, headers=headers)
            except nats.errors.Error as error:
                _LOG.warning("an answer to %s was not sent: %s", self._answering.name, error)

    async def _answered(self, body: bytes) -> bytes:
        try:
            question: Any = decode_as(self._answering.question, body)
        except DecodeError as error:
            raise Permanent("bad-question", error.reason, next_step="Compare it with the question's schema.") from None
        answer = msgspec.json.encode(await self._answering.handler(question))
        if len(answer) > MESSAGE_BYTES:
            raise Permanent("answer-too-large", "the answer is too large for a message", next_step="Ask for less.")
        return answer
