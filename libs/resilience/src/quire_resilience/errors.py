"""The two failures that cross a boundary; anything else that is raised is a bug.

::

    Exception
    └── QuireError                 what our own code raises on purpose
        ├── Transient              the same call may succeed later; `retry_after` says when, if somebody told us
        │   └── (adapters)         e.g. quire_bus.errors.NotStored, CircuitOpen
        └── Permanent              the same call will fail again; carries what a user must be told
            └── (adapters)         e.g. quire_bus.errors.TooLarge, BlobCorrupt

An adapter translates every foreign exception into one of the two, in one table. A handler raises them, the bus acts on
them: Transient is delivered again after a jittered delay, Permanent becomes the handler's failure event.
"""

from __future__ import annotations


class QuireError(Exception):
    """The root of what our own code raises on purpose."""


class Transient(QuireError):
    """Something outside failed in a way that time may heal.

    reason: one sentence for the log.
    retry_after: seconds the other side asked us to wait, or None if it did not say.
    code: a stable name for the cause, in kebab case.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, code: str = "transient") -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.code = code


class Permanent(QuireError):
    """Doing the same again will fail the same way.

    code: a stable name for the cause, in kebab case, at most 64 characters.
    reason: what happened, in words for the user who sent the work.
    next_step: what that user can do about it.
    kind: the class of the fault, one of the contracts' fault kinds; it decides what happens to the work.
    retryable: whether the same work may succeed later without a change to it, although not by an immediate retry.
    """

    def __init__(
        self,
        code: str,
        reason: str,
        *,
        next_step: str = "",
        kind: str = "invalid",
        retryable: bool = False,
    ) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.next_step = next_step
        self.kind = kind
        self.retryable = retryable


class CircuitOpen(Transient):
    """The breaker refused the call; `retry_after` is the time until it lets a probe through."""
