"""The bus's own way to wait for an answer: a question that is answered with the best one there is in time."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from quire_api.problems import Refusal
from quire_api.reading import read_job, record_of
from quire_api.waiting import once_over
from quire_bus.router import Router
from quire_contracts.query import AwaitAnswer, BestAnswer
from quire_contracts.record import TERMINAL
from quire_contracts.so_far import best_answer
from quire_resilience.errors import Permanent, Transient

if TYPE_CHECKING:
    from quire_api.door import Door

FULL_SECONDS: Final = 5.0


def answering(door: Door) -> Router:
    """The router of `quire.query.api.answer`; its waits count with those at the HTTP door."""
    router = Router("api")

    @router.answer("answer", AwaitAnswer)
    async def on_await_answer(question: AwaitAnswer) -> BestAnswer:
        job = (question.tenant, question.job_id)
        read = functools.partial(_best, door, *job)
        seconds = min(question.seconds, door.settings.wait_seconds)
        if seconds > 0 and not door.is_full:
            return await once_over(door, job, seconds, read, _is_over)
        async with door.promptly():
            found = await read()
        if seconds > 0 and not _is_over(found):
            raise Transient("too many waits and streams are open", code="too-many-streams", retry_after=FULL_SECONDS)
        return found

    return router


async def _best(door: Door, tenant: str, job_id: str) -> BestAnswer:
    record = await record_of(door, tenant, job_id)
    if record is not None:
        return best_answer(record)
    try:
        job = await read_job(door, tenant, job_id)
    except Refusal as refusal:
        raise Permanent("no-such-job", refusal.detail, next_step="Check the id and the tenant.") from None
    return job.answer or BestAnswer(job_id, tenant, job.state, "none", reason=job.reason)


def _is_over(answer: BestAnswer) -> bool:
    return answer.state in TERMINAL
