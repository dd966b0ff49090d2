"""Structures and observables read from their texts once: batches of a sweep or a loop share them by the thousand."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from quire_contracts.value import Observable
from quire_quantum.observables import ObservableError, group, with_measurements
from quire_quantum.structure import Structure, StructureError
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from quire_contracts.batch import Batch
    from quire_contracts.value import BlobRef
    from quire_quantum.executor import WorkError
    from quire_quantum.observables import Grouping

V = TypeVar("V")

_observables: Final = msgspec.json.Decoder(list[Observable])


class Recent(Generic[V]):
    """A bounded memory of values by key, least recently used out first; for one event loop or under a lock.

    capacity: how many values are kept.
    """

    def __init__(self, capacity: int) -> None:
        """Empty."""
        self._capacity = capacity
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """The value of `key`, or None."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Hashable, value: V) -> V:
        """Keep a value; gives it back."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._capacity:
            self._values.popitem(last=False)
        return value

    def __len__(self) -> int:
        """Values kept."""
        return len(self._values)


@dataclass(frozen=True)
class Question:
    """What a batch asks of every parameter set; `grouping` only where observables are estimated from shots."""

    structure: Structure
    observables: tuple[Observable, ...]
    grouping: Grouping | None


class Readings:
    """The questions of recent batches, by the digests of their texts.

    capacity: how many structures, lists of observables, and pairs of them are kept, each.
    """

    def __init__(self, capacity: int = 256) -> None:
        """Nothing read."""
        self._structures: Recent[Structure] = Recent(capacity)
        self._observables: Recent[tuple[Observable, ...]] = Recent(capacity)
        self._questions: Recent[Question] = Recent(capacity)

    async def question(self, batch: Batch, fetch: Callable[[BlobRef], Awaitable[bytes]]) -> Question:
        """The batch's question; a text that is known by its digest is neither fetched nor read again.

        fetch: gives a blob's content, verified against its digest.

        Raises:
            Permanent: a text cannot be read, or the circuit cannot carry the observables.
        """
        observed = batch.observables.sha256 if batch.observables is not None else None
        key = (batch.structure.sha256, observed, batch.shots is not None)
        known = self._questions.get(key)
        if known is not None:
            return known
        structure = self._structures.get(batch.structure.sha256)
        if structure is None:
            data = await fetch(batch.structure)
            structure = self._structures.put(batch.structure.sha256, read_structure(data))
        observables: tuple[Observable, ...] = ()
        if batch.observables is not None:
            found = self._observables.get(observed)
            if found is None:
                found = self._observables.put(observed, read_observables(await fetch(batch.observables)))
            observables = found
        return self._questions.put(key, _question(structure, observables, batch.shots))


def read_structure(data: bytes) -> Structure:
    """The structure of a batch.

    Raises:
        Permanent: the text is not a structure's canonical text.
    """
    try:
        return Structure.from_text(data.decode())
    except (StructureError, UnicodeDecodeError) as error:
        raise _broken("structure-malformed", f"the circuit's structure cannot be read: {error}") from error


def read_observables(data: bytes | None) -> tuple[Observable, ...]:
    """The observables of a batch; none where it has none.

    Raises:
        Permanent: the list cannot be read.
    """
    if data is None:
        return ()
    try:
        return tuple(_observables.decode(data))
    except msgspec.MsgspecError as error:
        raise _broken("observables-malformed", "the list of observables cannot be read") from error


def invalid(error: WorkError | ObservableError) -> Permanent:
    """Work that no executor can do, in the port's own words."""
    return Permanent("work-invalid", str(error), next_step="Correct the job and submit it again.")


def _question(structure: Structure, observables: tuple[Observable, ...], shots: int | None) -> Question:
    """The question, once it is sure that the circuit can carry it."""
    try:
        if shots is None or not observables:
            return Question(structure, observables, None)
        grouping = group(observables)
        for basis in grouping.bases:
            with_measurements(structure, basis)
        return Question(structure, observables, grouping)
    except ObservableError as error:
        raise invalid(error) from error


def _broken(code: str, reason: str) -> Permanent:
    return Permanent(code, reason, next_step="Submit the job again; if it fails again, report its id.")
