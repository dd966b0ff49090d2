"""What the bus raises, and how an error becomes a `Fault` that a user can read.

::

    Transient
    ├── Conflict       a compare-and-swap lost: read again, decide again
    ├── NotStored      no stream took the message: the broker is not provisioned, or is out of space
    ├── Unknown        no answer in time: it may or may not have happened; the same write may be repeated
    └── Unanswered     nobody answered a query in time
    Permanent
    ├── TooLarge       a message above 256 KiB, refused before the wire
    ├── DecodeError    bytes that are not the message their headers and subject say
    ├── BlobCorrupt    content that is not what its digest says
    ├── BlobMissing    content that is not there (any more)
    └── QueryFailed    the other side answered a query with a fault
    AlreadyDone        (private to the bus) another run of the same message has committed already
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from quire_contracts.value import Fault, FaultKind
from quire_resilience.errors import Permanent, QuireError, Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEXT = 2_000
_KINDS = frozenset(get_args(FaultKind))


class Conflict(Transient):
    """The record was written by somebody else since it was read; nothing of the commit was stored.

    subjects: the guarded subjects whose revision was not the expected one, where that is known.
    """

    def __init__(self, reason: str, subjects: Sequence[str] = ()) -> None:
        super().__init__(reason, code="conflict")
        self.subjects = tuple(subjects)


class NotStored(Transient):
    """The broker said that it did not store the message."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, code="not-stored")


class Unknown(Transient):
    """The broker did not answer in time, so the write may have happened; it is safe to repeat, never to assume."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, code="unknown-outcome")


class Unanswered(Transient):
    """Nobody answered a query in time."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, code="unanswered")


class TooLarge(Permanent):
    """A message whose body and headers together are above the limit; nothing was sent."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(
            "message-too-large",
            f"{what} is {size} bytes with its headers, the limit is {limit}",
            next_step="Send large data by reference: put it into the blobs and send the BlobRef.",
        )
        self.size = size


class DecodeError(Permanent):
    """A message that is not what it says it is; `pointer` names the header or body part that is wrong."""

    def __init__(self, reason: str, *, pointer: str = "") -> None:
        super().__init__("undecodable", reason, next_step="Compare the message with its schema and headers.")
        self.pointer = pointer


class BlobCorrupt(Permanent):
    """Content that does not have the digest or the size of its reference."""

    def __init__(self, reason: str) -> None:
        super().__init__("blob-corrupt", reason, next_step="Submit the work again.", kind="unknown", retryable=True)


class BlobMissing(Permanent):
    """Content that is not in the store."""

    def __init__(self, reason: str) -> None:
        super().__init__("blob-missing", reason, next_step="Submit the work again.", kind="unknown", retryable=True)


class QueryFailed(Permanent):
    """A query was answered with a fault that a repetition does not heal."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(
            fault.code, fault.reason, next_step=fault.next_step, kind=fault.kind, retryable=fault.retryable
        )


class AlreadyDone(QuireError):
    """Another run of the same delivery has committed; there is nothing left to do but to acknowledge.

    subjects: the inbox marks that are there already.
    """

    def __init__(self, subjects: Sequence[str]) -> None:
        super().__init__(f"already done: {', '.join(subjects)}")
        self.subjects = tuple(subjects)


def fault_of(error: BaseException) -> Fault:
    """The fault that says `error` to a user. Anything but Transient and Permanent is a bug and shows only its class."""
    match error:
        case Permanent():
            kind = cast("FaultKind", error.kind if error.kind in _KINDS else "unknown")
            return Fault(
                kind=kind,
                code=error.code[:64],
                reason=error.reason[:_TEXT],
                next_step=error.next_step[:_TEXT],
                retryable=error.retryable,
            )
        case Transient():
            return Fault(
                kind="transient",
                code=error.code[:64],
                reason=error.reason[:_TEXT],
                next_step="Try again later.",
                retryable=True,
            )
        case _:
            return Fault(
                kind="unknown",
                code="internal-error",
                reason=f"an internal error of the kind {type(error).__name__}",
                next_step="Report this with the job's id; trying again may help.",
                retryable=True,
            )
