"""The adapters' tables of errors, which evidence means what: data in `errors/*.toml`, read and looked up here."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from quire_contracts.value import Fault
from quire_quantum_gateway.providers.error_classes import ACTIONS, ErrorClass

if TYPE_CHECKING:
    from quire_quantum_gateway.providers.evidence import Evidence

Operation = Literal["create", "status", "fetch", "cancel", "find", "describe", "outcome", "run"]
"""What was being done: give work to a provider, ask for a job, fetch its result, cancel it, look jobs up, read a
device's description, read why a job ended badly, or run something in this process."""

Applied = Literal["no", "maybe"]

UNCLASSIFIED: Final = "unclassified"
_FORMAT: Final = 1


class Meaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an error means, in words for a user; one entry of meanings.toml. `code` is its name there."""

    class_: ErrorClass = msgspec.field(name="class")
    reason: str
    next_step: str
    retryable: bool
    code: str = ""

    @property
    def fault(self) -> Fault:
        """The contracts' value of it."""
        kind = ACTIONS[self.class_].kind
        return Fault(kind=kind, code=self.code, reason=self.reason, next_step=self.next_step, retryable=self.retryable)


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row of an adapter's table; everything that it names must hold, of each list one entry.

    code, status, error: patterns of the provider's code, the HTTP status, the exception's full name.
    says: words in the error's text. operation: what was being done. younger_than: the job's age in seconds.
    applied: whether the provider may have the work all the same.
    """

    means: str
    code: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    operation: tuple[Operation, ...] = ()
    younger_than: float | None = None
    applied: Applied = "no"


class Table(msgspec.Struct, frozen=True):
    """One adapter's rows, in their order; rows by code and status stand before those by class."""

    row: tuple[Row, ...]
    format: Literal[1]


def find(table: Table, evidence: Evidence, operation: Operation, age: float | None = None) -> Row | None:
    """The first row that fits: by code and status; else by the exception's class, then by its ancestors, nearest first.

    age: seconds since the job was created, None where nobody knows; then no row for young jobs fits.
    """
    fitting = [row for row in table.row if _fits(row, evidence, operation, age)]
    for row in fitting:
        if not row.error and (row.code or row.status):
            return row
    for name in evidence.names:
        for row in fitting:
            if any(fnmatchcase(name, pattern) for pattern in row.error):
                return row
    return None


def _fits(row: Row, evidence: Evidence, operation: Operation, age: float | None) -> bool:
    return (
        (not row.operation or operation in row.operation)
        and (not row.code or any(fnmatchcase(evidence.code, pattern) for pattern in row.code))
        and (not row.status or any(fnmatchcase(str(evidence.status), pattern) for pattern in row.status))
        and (not row.says or any(words in evidence.text for words in row.says))
        and (row.younger_than is None or (age is not None and age < row.younger_than))
    )


@cache
def meanings() -> dict[str, Meaning]:
    """Every meaning by its code."""
    found: dict[str, Any] = _read("meanings")
    return {code: msgspec.convert({**entry, "code": code}, Meaning) for code, entry in found.items()}


@cache
def load(adapter: str) -> Table:
    """The table of an adapter: `aws`, `ibm`, `qiskit` or `braket`.

    Raises:
        msgspec.ValidationError: the data is not a table.
        KeyError: a row means something that is not among the meanings.
    """
    table = msgspec.convert(_read(adapter), Table)
    for row in table.row:
        meanings()[row.means]
    return table


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__package__) / "errors" / f"{name}.toml").read_text("utf-8"))
