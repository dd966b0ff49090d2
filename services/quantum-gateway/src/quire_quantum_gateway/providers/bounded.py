"""Hard limits for calls of SDKs that have none, or that can be held up by a service that answers drop by drop.

A call that is given up goes on in its own thread until its SDK lets go of it, and what it does there is unknown. That
thread is a daemon, so that it keeps no process alive, and there are only so many of them.
"""

from __future__ import annotations

import math
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Final, TypeVar

from quire_resilience.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from quire_resilience.clock import Clock

T = TypeVar("T")

SHORTEST_SECONDS: Final = 1.0
"""No call is begun that has less time than this."""


class Overdue(TimeoutError):
    """A call was given up: the service may have done what was asked."""


class Bounded:
    """Calls of one remote provider. Thread-safe.

    seconds: the longest that a call may take.
    at_once: calls under way together, given-up ones included; more are refused.
    """

    def __init__(self, clock: Clock, seconds: float, at_once: int = 64) -> None:
        """No thread is started before it is needed."""
        self._clock = clock
        self._seconds = seconds
        self._places = BoundedSemaphore(at_once)

    def left(self, deadline: float) -> float:
        """How long a call may take that has to end by `deadline` (on the clock's `monotonic`).

        Raises:
            Transient: code `too-late`: too short for any call.
        """
        left = min(self._seconds, deadline - self._clock.monotonic())
        if left < min(SHORTEST_SECONDS, self._seconds):
            raise Transient("too little time is left for a call of the provider", code="too-late")
        return left

    def call(self, call: Callable[[], T], deadline: float = math.inf) -> T:
        """The call's result, within the limit.

        Raises:
            Transient: code `too-late` or `provider-hangs`: it was not begun.
            Overdue: it was given up.
            Whatever the call raises.
        """
        left = self.left(deadline)
        if not self._places.acquire(blocking=False):
            raise Transient("too many calls of the provider hang", code="provider-hangs")
        answers: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

        def work() -> None:
            try:
                answers.put((call(), None))
            except BaseException as error:  # noqa: BLE001 - raised again where the call is waited for
                answers.put((None, error))
            finally:
                self._places.release()

        Thread(target=work, name="provider-call", daemon=True).start()
        return _first(answers, left)


def _first(answers: SimpleQueue[tuple[T | None, BaseException | None]], seconds: float) -> T:
    try:
        result, error = answers.get(timeout=seconds)
    except Empty:
        raise Overdue(f"no answer in {seconds:.0f} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
