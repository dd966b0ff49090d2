"""Foreign exceptions as ours: an adapter's table says what an error means, and what follows stands in its class.

Two things are decided here. What a user is told: the meaning's own words, never the provider's. And what the house may
conclude: `Transient` and `Permanent` are raised where the provider certainly does not have the work; `Ambiguous` where
it may. An error that no table knows is ambiguous wherever work was given away, and is counted, so that its row is
written.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from quire_quantum_gateway.providers.error_classes import ACTIONS, Action
from quire_quantum_gateway.providers.error_table import UNCLASSIFIED, find, load, meanings
from quire_quantum_gateway.providers.evidence import evidence_in, evidence_of
from quire_resilience.errors import Permanent, QuireError, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quire_contracts.value import Fault
    from quire_quantum_gateway.providers.error_classes import ErrorClass
    from quire_quantum_gateway.providers.error_table import Applied, Meaning, Operation, Table
    from quire_quantum_gateway.providers.evidence import Evidence

__all__ = [
    "Ambiguous",
    "Classified",
    "classified_of",
    "classify",
    "classify_outcome",
    "error_of",
    "fault_of",
    "load",
    "raised_for",
    "translated",
]

UNKNOWN: Final = meanings()[UNCLASSIFIED]
WIDTH: Final = meanings()["unsupported-width"]
CIRCUIT: Final = meanings()["unsupported-circuit"]
NO_BACKEND: Final = meanings()["unsupported-target"]
NOT_INSTALLED: Final = meanings()["provider-not-installed"]
TIMED_OUT: Final = meanings()["timed-out"]

_UNKNOWN_ON: Final[dict[str, str]] = {
    "create": UNCLASSIFIED,
    "run": UNCLASSIFIED,
    "outcome": "unclassified-outcome",
}
"""What an unknown error means by what was being done; a question is simply asked again."""


@dataclass(frozen=True, slots=True)
class Classified:
    """What one error means.

    fault: for the user and the house.   applied: whether the provider may have the work.
    retry_after: seconds that the provider asked to wait.   known: whether a table knows the error.
    """

    error_class: ErrorClass
    fault: Fault
    applied: Applied = "no"
    retry_after: float | None = None
    known: bool = True

    @property
    def action(self) -> Action:
        """What follows from the class."""
        return ACTIONS[self.error_class]


class Ambiguous(Exception):
    """The provider may or may not have the work, or nobody can say what became of it: never read as failed.

    Not a QuireError, for neither of the two failures that cross a boundary is true of it. `fault` is of kind `unknown`.
    """

    def __init__(self, found: Classified) -> None:
        super().__init__(f"{found.fault.code}: {found.fault.reason}")
        self.fault = found.fault
        self.found = found


def classify(error: BaseException, table: Table, operation: Operation = "run", age: float | None = None) -> Classified:
    """What an exception of an SDK means.

    operation: what was being done.   age: seconds since the job in question was created, if that is known.
    """
    return _classified(evidence_of(error), table, operation, age)


def classify_outcome(table: Table, text: str, code: str = "") -> Classified:
    """What it means that a job ended badly, by the provider's words for it and its code, if it has one."""
    return _classified(evidence_in(text, code), table, "outcome", None)


def _classified(evidence: Evidence, table: Table, operation: Operation, age: float | None) -> Classified:
    row = find(table, evidence, operation, age)
    code = row.means if row is not None else UNCLASSIFIED
    known = code != UNCLASSIFIED
    meaning = meanings()[code if known else _UNKNOWN_ON.get(operation, "unclassified-read")]
    applied: Applied = row.applied if row is not None else "no"
    if ACTIONS[meaning.class_].kind == "unknown" and operation in ("create", "run"):
        applied = "maybe"
    return Classified(meaning.class_, meaning.fault, applied, evidence.retry_after, known)


def classified_of(error: BaseException) -> Classified | None:
    """What a translated error was classed as; None for an error that did not come from a provider."""
    found = getattr(error, "found", None)
    return found if isinstance(found, Classified) else None


def fault_of(meaning: Meaning) -> Fault:
    """A meaning as the contracts' value."""
    return meaning.fault


def error_of(fault: Fault, *, retry_after: float | None = None) -> QuireError:
    """A fault as the error that crosses the boundary."""
    if fault.kind == "transient":
        return Transient(fault.reason, code=fault.code, retry_after=retry_after)
    return Permanent(fault.code, fault.reason, next_step=fault.next_step, kind=fault.kind, retryable=fault.retryable)


def raised_for(found: Classified) -> Exception:
    """What a classed error is raised as; `classified_of` gives it back."""
    if found.applied == "maybe" or found.fault.kind == "unknown":
        return Ambiguous(found)
    error = error_of(found.fault, retry_after=found.retry_after)
    error.found = found  # type: ignore[attr-defined]  # read by classified_of alone
    return error


@contextmanager
def translated(table: Table, operation: Operation = "run", age: float | None = None) -> Iterator[None]:
    """Around calls of an SDK: every exception comes out as ours; what is ours already, as it is.

    Raises:
        Permanent, Transient: what the table says; the provider does not have the work.
        Ambiguous: it may have it, or the error is one that no table knows.
    """
    try:
        yield
    except (QuireError, Ambiguous):
        raise
    except Exception as error:
        raise raised_for(classify(error, table, operation, age)) from error
