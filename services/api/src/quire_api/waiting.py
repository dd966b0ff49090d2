"""A bounded wait for a job's end: how long was asked for, and looking at the job until it is over or the time is."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Final, TypeVar

from quire_api.door import end_all
from quire_api.problems import Refusal
from quire_bus.subjects import token
from quire_contracts.job import JobCancelled, JobCompleted, JobFailed, JobRejected
from quire_contracts.registry import entry_of
from quire_contracts.value import Problem
from quire_contracts.waits import FORMS, parse_wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quire_api.door import Door, Request

T = TypeVar("T")

_VERBS: Final = frozenset(entry_of(end).verb for end in (JobCompleted, JobFailed, JobCancelled, JobRejected))
_LOOK_SECONDS: Final = 1.0
_SOON_SECONDS: Final = 0.001
_PREFERRED: Final = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([^",;]*)"?', re.IGNORECASE)


def asked_wait(request: Request, wait: str | None) -> tuple[float, bool]:
    """How long a request asks to be held, in seconds, and whether its `Prefer: wait=` header said so.

    wait: the query's value, which counts before the header. Without either, or with a preference that makes no sense,
    it is 0: what cannot be complied with is not to be an error (RFC 7240, 2).

    Raises:
        Refusal: 400, with what is wrong with the query's value.
    """
    if wait is not None:
        return _asked(wait), False
    preferred = _PREFERRED.search(request.headers.get("prefer", ""))
    seconds = parse_wait(preferred[1]) if preferred else None
    return (0.0, False) if seconds is None else (seconds, True)


def _asked(wait: str) -> float:
    seconds = parse_wait(wait)
    if seconds is not None:
        return seconds
    problem = Problem(
        pointer="/query/wait",
        reason=f"{wait[:60]!r} is no time to wait",
        limit="at least 0; what is longer than this service allows is cut to that",
        hint=f"give {FORMS}",
    )
    title, detail = "The request cannot be understood", "a parameter is not as it should be"
    raise Refusal(400, "bad-request", title, detail, problems=(problem,))


async def once_over(
    door: Door,
    job: tuple[str, str],
    seconds: float,
    read: Callable[[], Awaitable[T]],
    is_over: Callable[[T], bool],
) -> T:
    """What `read` says of a job, as soon as that is over, when `seconds` are, or when the door closes.

    That its end is said is only overheard: it may have been missed, and is heard a moment before the log has it, for a
    commit is stored as a whole. So it is read again, soon after a word and at times without one.

    job: its tenant and id.
    """
    word = asyncio.Event()

    def heard(subject: str, _: bytes) -> None:
        if subject.split(".")[4] in _VERBS:
            word.set()

    async def close() -> None:
        await door.stopping.wait()
        word.set()

    closing = asyncio.create_task(close())
    end, pause = door.clock.monotonic() + seconds, _LOOK_SECONDS
    try:
        with door.held():
            async with door.bus.overhear(_ends_of(*job), heard):
                while True:
                    async with door.promptly():
                        found = await read()
                    left = end - door.clock.monotonic()
                    if is_over(found) or left <= 0 or door.stopping.is_set():
                        return found
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(min(pause, left)):
                            await word.wait()
                    pause = _SOON_SECONDS if word.is_set() else min(2 * pause, _LOOK_SECONDS)
                    word.clear()
    finally:
        await end_all([closing])


def _ends_of(tenant: str, job_id: str) -> str:
    """The subject of what the control plane says of a job itself, its end among it."""
    return f"quire.evt.{token(tenant, 'tenant')}.job.*.*.{token(job_id, 'job id')}"
