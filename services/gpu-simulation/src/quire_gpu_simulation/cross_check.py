"""A share of the engine's answers worked out once more by another simulator, and what counts as the same answer."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from quire_quantum.executor import Member, Work
from quire_quantum.observables import final_measurements, group, without_final_measurements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_contracts.value import Observable
    from quire_quantum.counts import PackedCounts
    from quire_quantum.executor import Outcome
    from quire_quantum.structure import Structure

TOLERANCE: Final = {"double": 1e-9, "single": 1e-4}
"""How far a probability, or a value in units of its observable's weight, may be off by rounding."""

_ROWS: Final = 2
_DOUBT: Final = 40.0
"""A right answer fails a statistical check with a probability below 2 exp(-40), that is never."""

_NEVER: Final = 1e-11
_KEY_BYTES: Final = 8


class Amplitudes(Protocol):
    """A simulator that gives probabilities."""

    def probabilities(self, structure: Structure, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the basis states before the final measurements, float64 [rows, 2**qubits]."""
        ...


class Reference(Amplitudes, Protocol):
    """The simulator that is believed."""

    def execute(self, work: Work) -> Outcome:
        """See `quire_quantum.executor.Executor.execute`."""
        ...


@dataclass(frozen=True, slots=True)
class Sampled:
    """One row of one member, and one of the circuits that it was measured with."""

    member: int
    row: int
    circuit: int


def fingerprint(work: Work) -> bytes:
    """32 bytes that equal work has in common, and nothing else."""
    digest = hashlib.blake2b(f"{work.structure.sha256}|{work.shots}|{work.observables}".encode(), digest_size=32)
    for member in work.members:
        digest.update(f"|{member.seed}|{member.first}|{member.parameters.shape}|".encode())
        digest.update(np.ascontiguousarray(member.parameters).tobytes())
    return digest.digest()


def is_chosen(work: Work, share: float) -> bool:
    """Whether this work is among the `share` (0 to 1) that is checked: decided by its content, the same every time."""
    return share > 0 and int.from_bytes(fingerprint(work)[:_KEY_BYTES], "big") < share * 2.0 ** (8 * _KEY_BYTES)


def chosen_rows(work: Work) -> tuple[Sampled, ...]:
    """A few rows of the work, each with one of its circuits, by its content."""
    places = [(index, row) for index, member in enumerate(work.members) for row in range(len(member.parameters))]
    key = fingerprint(work)
    circuits = len(group(work.observables).bases) if work.observables and work.shots is not None else 1
    numbers = [int.from_bytes(key[at : at + _KEY_BYTES], "big") for at in range(8, 8 + _ROWS * _KEY_BYTES, _KEY_BYTES)]
    picked = {places[number % len(places)]: number // len(places) % circuits for number in numbers if places}
    return tuple(Sampled(member, row, circuit) for (member, row), circuit in picked.items())


def compare(work: Work, outcome: Outcome, engine: Amplitudes, reference: Reference, precision: str) -> str | None:
    """What is wrong with the engine's outcome, or None. Rows are chosen by the work's content.

    Exact values are compared with the reference's. Of sampled work the probabilities that the samples were drawn from
    are compared, and the counts (or the values estimated from them) must be possible under the reference's.
    """
    tolerance = TOLERANCE[precision]
    for place in chosen_rows(work):
        answer = outcome.members[place.member]
        parameters = work.members[place.member].parameters[place.row : place.row + 1]
        if work.observables:
            values = None if answer.values is None else answer.values[place.row]
            row = Work(work.structure, (Member(parameters),), work.shots, work.observables)
            fault = _values_differ(row, values, reference, tolerance)
            if fault:
                return fault
        if work.shots is not None:
            circuits = work.circuits()
            circuit = circuits[place.circuit]
            expected = reference.probabilities(circuit, parameters)[0]
            found = engine.probabilities(circuit, parameters)[0]
            off = float(np.abs(found - expected).max())
            if not off <= tolerance:
                return f"a probability is off by {off:.1e}"
            if answer.counts is not None:
                counted = place.row * len(circuits) + place.circuit
                fault = implausible(answer.counts, counted, expected, final_measurements(circuit), tolerance)
                if fault:
                    return fault
    return None


def implausible(
    counts: PackedCounts, row: int, probabilities: NDArray[np.float64], measured: dict[int, int], tolerance: float
) -> str | None:
    """Why a row of counts cannot come from these probabilities, or None.

    By Bernstein's inequality the frequency of an outcome of probability p in N shots is further from p than
    L / (3 N) + sqrt((L / (3 N))^2 + 2 L p (1 - p) / N) with a probability below 2 exp(-L).
    """
    first, last = int(counts.offsets[row]), int(counts.offsets[row + 1])
    bits = sorted(measured)
    shots = int(counts.tallies[first:last].sum())
    index = np.zeros(len(probabilities), np.int64)
    seen = np.zeros(last - first, np.int64)
    words = counts.words()[first:last]
    states = np.arange(len(probabilities))
    for place, bit in enumerate(bits):
        index |= (states >> measured[bit] & 1) << place
        seen |= (words[:, bit // 64] >> np.uint64(bit % 64) & np.uint64(1)).astype(np.int64) << place
    expected = np.bincount(index, probabilities, minlength=1 << len(bits))
    tallies = np.bincount(seen, counts.tallies[first:last], minlength=1 << len(bits))
    if tallies[expected < max(_NEVER, tolerance / 100)].sum() > _DOUBT * max(1.0, shots * tolerance):
        return "an outcome was drawn that is never seen"
    doubt = (_DOUBT + math.log(len(expected))) / shots
    spread = doubt / 3 + np.sqrt((doubt / 3) ** 2 + 2 * doubt * expected * np.clip(1 - expected, 0, 1))
    off = np.abs(tallies / shots - expected) - spread - tolerance
    return f"a frequency is {float(off.max()):.1e} beyond what chance allows" if off.max() > 0 else None


def _values_differ(row: Work, values: NDArray[np.float64] | None, reference: Reference, tolerance: float) -> str | None:
    """What is wrong with the values of a work of one row, or None; nothing where it was answered by counts."""
    if values is None:
        return None
    structure = row.structure if row.shots is None else without_final_measurements(row.structure)
    expected = reference.execute(Work(structure, row.members, None, row.observables)).members[0].values
    assert expected is not None  # noqa: S101 - exact work is answered by values
    weights = np.array([sum(map(abs, observable.coefficients)) for observable in row.observables])
    allowed = tolerance * np.maximum(1.0, weights)
    if row.shots is not None:
        allowed += _chance(row.observables, row.shots)
    off = np.abs(values - expected[0])
    return f"a value is off by {float(off.max()):.1e}" if not np.all(off <= allowed) else None


def _chance(observables: tuple[Observable, ...], shots: int) -> NDArray[np.float64]:
    """How far an estimate may be off by chance (Hoeffding): sqrt(2 L sum R^2 / N), R the weight of each group."""
    grouping = group(observables)
    spread = np.zeros((len(observables), len(grouping.bases)))
    for index, observable in enumerate(observables):
        for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
            spread[index, grouping.group_of[label]] += abs(coefficient)
    return np.asarray(np.sqrt(2 * _DOUBT * (spread**2).sum(axis=1) / shots))
