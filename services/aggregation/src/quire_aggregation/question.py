"""What was asked of a batch: the yardstick that its answers are held against."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import msgspec

from quire_contracts.value import Observable
from quire_quantum.observables import Grouping, ObservableError, group
from quire_resilience.errors import Permanent

_decoder: Final = msgspec.json.Decoder(tuple[Observable, ...])


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """How an answer must look.

    bits: width of an outcome; None where the batch does not say it.
    shots: for each circuit run; None asks for exact values.
    observables, grouping: None asks for plain counts.
    """

    bits: int | None
    shots: int | None
    observables: tuple[Observable, ...] = ()
    grouping: Grouping | None = None

    @property
    def groups(self) -> int:
        """Circuit runs for each parameter set."""
        return len(self.grouping.bases) if self.grouping and self.shots is not None else 1


UNASKED: Final = Question(bits=None, shots=None)
"""The question of a batch that did not run: there is nothing to hold against it."""


def ask(*, qubits: int, bits: int | None, shots: int | None, observables: bytes | None) -> Question:
    """The question of a batch. `observables` is the JSON of a list of `Observable`, or None for plain counts.

    Counts for observables run over the qubits, plain counts over the classical bits.

    Raises:
        Permanent: if the observables cannot be read or do not fit the qubits.
    """
    if observables is None:
        return Question(bits, shots)
    try:
        read, grouping = _read(observables)
    except (msgspec.DecodeError, ObservableError) as error:
        raise _unreadable(str(error)) from None
    if len(grouping.bases[0]) != qubits:
        raise _unreadable(f"they act on {len(grouping.bases[0])} qubits, the circuit has {qubits}")
    return Question(qubits, shots, read, grouping)


@functools.lru_cache(maxsize=64)
def _read(data: bytes) -> tuple[tuple[Observable, ...], Grouping]:
    """The rounds of a loop ask the same again and again; grouping ten thousand terms takes a while."""
    observables = _decoder.decode(data)
    return observables, group(observables)


def _unreadable(why: str) -> Permanent:
    return Permanent(
        "observables-unreadable",
        f"the observables of the batch cannot be used: {why}",
        next_step="Submit the job again; if this repeats, report it.",
        kind="unknown",
    )
