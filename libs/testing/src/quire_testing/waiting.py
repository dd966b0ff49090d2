"""Waiting for something to become true, without guessing how long it takes."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.01


async def eventually(condition: Callable[[], T | Awaitable[T]], *, within: float = 10.0) -> T:
    """The first truthy value of `condition`, asked every 10 ms for at most `within` seconds.

    `condition` may be a coroutine function, and may assert: an AssertionError counts as not yet.

    Raises:
        AssertionError: the condition's own last one, or one that says what its last value was.
    """
    deadline = time.monotonic() + within
    while True:
        failure: AssertionError | None = None
        value: T | None = None
        try:
            answer = condition()
            value = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise failure or AssertionError(f"not within {within:g} s; the last value was {value!r}")
        await asyncio.sleep(_POLL_SECONDS)
