"""Foreign exceptions as fault classes: each adapter has one table, keyed by the exception's full name.

Names instead of classes, so that a table can be read without its SDK; an exception is looked up along its ancestors.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from quire_contracts.value import Fault, FaultKind
from quire_resilience.errors import Permanent, QuireError, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Row(NamedTuple):
    """What one exception means: its class, a stable code, words for the user, and whether time may heal it."""

    kind: FaultKind
    code: str
    reason: str
    next_step: str
    retryable: bool = False


Table = dict[str, Row]

UNKNOWN: Final = Row(
    "unknown",
    "unclassified",
    "the provider's software failed in a way that is not known yet",
    "Look the job up at the provider before it is run again.",
)
WIDTH: Final = Row(
    "invalid",
    "unsupported-width",
    "the circuit needs more memory or qubits than this target has",
    "Choose a wider target or a smaller circuit.",
)
CIRCUIT: Final = Row(
    "invalid",
    "unsupported-circuit",
    "this target cannot run the circuit",
    "Choose another target, or leave out what only some targets can do.",
)
NO_BACKEND: Final = Row("invalid", "unsupported-target", "the provider has no such backend", "Check the target's name.")
NOT_INSTALLED: Final = Row(
    "offline",
    "provider-not-installed",
    "the provider's software is not installed where this target runs",
    "Choose another target, or install the provider's package.",
)
TIMED_OUT: Final = Row(
    "transient", "timed-out", "the target did not answer in time", "Try again later.", retryable=True
)


def classify(error: BaseException, table: Mapping[str, Row]) -> Fault:
    """The fault of an exception: the row of its class, else of its nearest ancestor, else kind `unknown`."""
    for ancestor in type(error).__mro__:
        row = table.get(f"{ancestor.__module__}.{ancestor.__qualname__}")
        if row is not None:
            return fault_of(row)
    return fault_of(UNKNOWN)


def fault_of(row: Row) -> Fault:
    """A row as the contracts' value."""
    return Fault(kind=row.kind, code=row.code, reason=row.reason, next_step=row.next_step, retryable=row.retryable)


def error_of(fault: Fault) -> QuireError:
    """A fault as the error that crosses the boundary."""
    if fault.kind == "transient":
        return Transient(fault.reason, code=fault.code)
    return Permanent(fault.code, fault.reason, next_step=fault.next_step, kind=fault.kind, retryable=fault.retryable)


@contextmanager
def translated(table: Mapping[str, Row]) -> Iterator[None]:
    """Around calls of an SDK: what the table knows is raised as ours, the rest as it is.

    Raises:
        Permanent, Transient: what the table says of the exception that was raised inside.
    """
    try:
        yield
    except QuireError:
        raise
    except Exception as error:
        fault = classify(error, table)
        if fault.kind == "unknown":
            raise
        raise error_of(fault) from error
