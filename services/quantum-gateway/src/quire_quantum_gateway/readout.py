"""Errors of reading: how they are measured, and how they are taken out of counts by mthree.

M3 (Nation et al., "Scalable mitigation of measurement errors on quantum computers", PRX Quantum 2, 040326, 2021,
arXiv:2108.12518) inverts the errors in the space of the outcomes that were seen. Each qubit has errors of its own here:
those that qubits cause each other while they are read are not seen.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_contracts.batch import Batch, Slice
from quire_contracts.value import Matrix, inline_blob
from quire_plane.slices import MATRIX_TYPE
from quire_quantum.counts import pack, unpack
from quire_quantum.observables import bound, shot_values
from quire_quantum.qiskit_home import settle
from quire_quantum.structure import Angle, Operation, Structure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from quire_contracts.value import Observable
    from quire_quantum.counts import PackedCounts
    from quire_quantum.observables import Grouping

    Array = NDArray[np.float64]

Quasi = dict[str, float]
"""Outcome to its share of the shots, which may be below 0."""

STRUCTURE_TYPE: Final = "application/openqasm"
_NAMESPACE: Final = uuid.UUID("4b0c3a5e-36c1-5b1e-9a4e-5b0f8a0d7c55")
_PREPARED: Final = np.array([[0.0], [math.pi]])
"""Turns that prepare every qubit in 0, and in 1."""


def reading_circuit(qubits: int) -> Structure:
    """Every qubit turned by p0 and read: at 0 and at pi it says how often a 0 and a 1 are read wrongly."""
    turns = [Operation("rx", (qubit,), (Angle(0),)) for qubit in range(qubits)]
    reads = [Operation("measure", (qubit,), (), (qubit,)) for qubit in range(qubits)]
    return Structure(qubits, qubits, 1, (*turns, *reads))


def reading_batch(calibration_id: str, qubits: Sequence[int], shots: int, like: Batch, now: datetime) -> Batch:
    """The batch that measures how these qubits are read, the same for everybody who asks the same.

    like: the batch that it is for, whose target, class and deadline it has.
    """
    named = f"{like.target}|{calibration_id}|{' '.join(map(str, qubits))}|{shots}"
    name, structure = str(uuid.uuid5(_NAMESPACE, named)), reading_circuit(len(qubits))
    member = Slice(
        task_id=name,
        job_id=name,
        tenant=like.members[0].tenant,
        phase="main",
        round=0,
        attempt=1,
        first=0,
        total_rows=len(_PREPARED),
        parameters=Matrix(rows=2, columns=1, data=inline_blob(_PREPARED.astype("<f8").tobytes(), MATRIX_TYPE)),
        seed=int.from_bytes(hashlib.sha256(named.encode()).digest()[:4], "big") >> 1,
        queued_at=now,
    )
    return Batch(
        batch_id=name,
        target=like.target,
        structure=inline_blob(structure.to_text().encode(), STRUCTURE_TYPE),
        qubits=len(qubits),
        observables=None,
        shots=shots,
        priority=like.priority,
        members=(member,),
        flush_reason="single",
        formed_at=now,
        deadline_at=like.deadline_at,
    )


def matrices_of(counts: PackedCounts) -> list[Array]:
    """For each bit the chance to read i where j was prepared, [i, j], from the counts of `reading_batch`."""
    digits = np.unpackbits(counts.outcomes, axis=1)[:, -counts.bits :][:, ::-1]
    ones = np.array([np.bincount(counts.row_of_entry, counts.tallies * bit, counts.rows) for bit in digits.T])
    chances = np.clip(ones / counts.shots, 0.0, 1.0)
    return [np.array([[1 - zero, 1 - one], [zero, one]]) for zero, one in chances]


class Reading:
    """Takes errors of reading out of counts.

    matrices: by qubit of the device, as `matrices_of` has them.
    read_from: for each circuit of a parameter set, which qubit each bit was read from; -1 for none.
    """

    def __init__(self, matrices: Mapping[int, Array], read_from: Sequence[Sequence[int]]) -> None:
        """Nothing of mthree is imported yet."""
        self._by_circuit = [[matrices.get(qubit, np.eye(2)) for qubit in qubits] for qubits in read_from]

    def expectation(
        self, counts: PackedCounts, observables: Sequence[Observable], grouping: Grouping
    ) -> tuple[Array, Array]:
        """Values and standard errors, as `observables.expectation`, read-out errors taken out.

        The error is what M3 bounds it by: with overhead M and N shots of values up to b, identity apart, the variance
        of a mean v is at most (M b^2 - v^2) / N.
        """
        groups = len(grouping.bases)
        values = np.zeros((counts.rows // groups, len(observables)))
        variances = np.zeros_like(values)
        for row, (quasi, overhead) in enumerate(self._corrected(counts)):
            index = row % groups
            words, shares = pack([dict.fromkeys(quasi, 1)], bits=counts.bits).words(), _in_order(quasi)
            for column, observable in enumerate(observables):
                mean = float(shares @ shot_values(words, observable, grouping, index))
                values[row // groups, column] += mean
                most = bound(observable, grouping, index) ** 2
                apart = mean - _certain(observable, grouping, index)
                spread = max(0.0, overhead * most - min(apart**2, most))
                variances[row // groups, column] += spread / int(counts.shots[row])
        return values, np.sqrt(variances)

    def counts(self, counts: PackedCounts) -> PackedCounts:
        """Counts whose shares are the nearest ones to M3's that are none below 0; each row keeps its shots."""
        rows = []
        for (quasi, _), shots in zip(self._corrected(counts), counts.shots.tolist(), strict=True):
            texts = sorted(quasi)
            rows.append(dict(zip(texts, _whole(nearest(_in_order(quasi)), shots).tolist(), strict=True)))
        return pack(rows, bits=counts.bits)

    def _corrected(self, counts: PackedCounts) -> Iterator[tuple[Quasi, float]]:
        """M3's shares of each row and their overhead."""
        solvers = [_solver(matrices) for matrices in self._by_circuit]
        for row, tallies in enumerate(unpack(counts)):
            yield solvers[row % len(solvers)](tallies)


def _solver(matrices: Sequence[Array]) -> Callable[[Mapping[str, int]], tuple[Quasi, float]]:
    settle()
    import mthree  # noqa: PLC0415 - 3 s, and only mitigated work needs it

    mitigation = mthree.M3Mitigation(None)
    mitigation.cals_from_matrices([matrix.astype(np.float32) for matrix in matrices])
    qubits = list(range(len(matrices)))

    def corrected(tallies: Mapping[str, int]) -> tuple[Quasi, float]:
        found = mitigation.apply_correction(dict(tallies), qubits, return_mitigation_overhead=True)
        return {text: float(share) for text, share in found.items()}, float(found.mitigation_overhead)

    return corrected


def nearest(shares: Array) -> Array:
    """The probabilities nearest to shares that sum to one (Smolin et al., Phys. Rev. Lett. 108, 070502, 2012)."""
    falling = np.sort(shares)[::-1]
    over = (np.cumsum(falling) - 1.0) / np.arange(1, len(shares) + 1)
    found: Array = np.maximum(shares - over[np.flatnonzero(falling > over)[-1]], 0.0)
    return found


def _whole(shares: Array, shots: int) -> NDArray[np.int64]:
    """Whole shots by largest remainders, together all of them."""
    exact = shares / shares.sum() * shots
    found: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    found[np.argsort(found - exact, kind="stable")[: shots - int(found.sum())]] += 1
    return found


def _certain(observable: Observable, grouping: Grouping, index: int) -> float:
    """What the identity in a group adds to every shot."""
    terms = zip(observable.labels, observable.coefficients, strict=True)
    return sum(c for label, c in terms if grouping.group_of[label] == index and not label.strip("I"))


def _in_order(quasi: Quasi) -> Array:
    """The shares by rising outcome, as packed counts have them."""
    return np.array([quasi[text] for text in sorted(quasi)])
