"""Observables: Pauli sums made regular, grouped so that few circuits measure many terms, and valued from counts."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_contracts.value import Observable
from quire_quantum.structure import Operation, Structure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from quire_quantum.counts import PackedCounts

MAX_TERMS: Final = 10_000
_WORD_BITS: Final = 64
_WORD: Final = 2**_WORD_BITS - 1
_X_DIGITS: Final = str.maketrans("IXYZ", "0110")
_Z_DIGITS: Final = str.maketrans("IXYZ", "0011")
_TABLED_TERMS: Final = 64
_TABLED_QUBITS: Final = 16
"""More terms on so many qubits at most are valued by a table of all outcomes: a look-up for each outcome instead of a
parity for each outcome and term."""

_ROTATIONS: Final = {"I": (), "Z": (), "X": ("h",), "Y": ("sdg", "h")}


class ObservableError(ValueError):
    """An observable that cannot be measured on its circuit; the message says why in words for its author."""


@dataclass(frozen=True)
class Grouping:
    """Which circuits measure a list of observables.

    `bases` holds one Pauli label for each circuit (`I` is measured as `Z`; the right-most character is qubit 0);
    `group_of` says for each distinct label of the observables which circuit gives its value.
    """

    bases: tuple[str, ...]
    group_of: Mapping[str, int]


def normalise(terms: Mapping[str, float], num_qubits: int) -> Observable:
    """Make an observable regular: labels sorted, coefficients finite floats.

    Args:
        terms: Pauli label to coefficient; a label has one of I, X, Y, Z for each qubit, the right-most for qubit 0.
        num_qubits: width of the circuit.

    Raises:
        ObservableError: no term or too many, a label of another length or alphabet, a coefficient that is not finite.
    """
    if not 0 < len(terms) <= MAX_TERMS:
        raise ObservableError(f"an observable has 1 to {MAX_TERMS} terms, not {len(terms)}")
    for label, coefficient in terms.items():
        if len(label) != num_qubits or label.strip("IXYZ"):
            raise ObservableError(
                f"each label needs {num_qubits} characters of I, X, Y and Z, one for each qubit of the program"
            )
        if isinstance(coefficient, bool) or not math.isfinite(coefficient):
            raise ObservableError("each coefficient must be a finite number")
    labels = tuple(sorted(terms))
    return Observable(labels=labels, coefficients=tuple(float(terms[label]) for label in labels))


def group(observables: Sequence[Observable]) -> Grouping:
    """Gather the observables' terms into as few qubit-wise commuting groups as first-fit finds.

    Terms go in order of falling weight (largest absolute coefficient in any observable), then label, each into the
    first group whose basis it does not contradict. Deterministic: the same observables give the same groups on every
    machine, so executor and aggregation need not tell each other.
    """
    weights: dict[str, float] = {}
    for observable in observables:
        for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
            weights[label] = max(weights.get(label, 0.0), abs(coefficient))
    if not weights:
        raise ObservableError("there is no observable to measure")
    bases: list[tuple[int, int]] = []
    group_of: dict[str, int] = {}
    for label in sorted(weights, key=lambda label: (-weights[label], label)):
        x, z = masks(label)
        for index, (basis_x, basis_z) in enumerate(bases):
            if not ((x ^ basis_x) | (z ^ basis_z)) & (x | z) & (basis_x | basis_z):
                bases[index] = (x | basis_x, z | basis_z)
                break
        else:
            index = len(bases)
            bases.append((x, z))
        group_of[label] = index
    width = len(next(iter(weights)))
    return Grouping(tuple(_label(x, z, width) for x, z in bases), group_of)


def with_measurements(structure: Structure, basis: str) -> Structure:
    """The structure with its final measurements replaced by a measurement of every qubit in `basis`.

    Qubit i goes to bit i; the result has as many bits as qubits. Final means that nothing but barriers follows on the
    qubit.

    Raises:
        ObservableError: when `basis` has another width, or a measurement stands in the middle of the circuit.
    """
    if len(basis) != structure.num_qubits:
        raise ObservableError(f"the basis has {len(basis)} characters for {structure.num_qubits} qubits")
    operations = list(without_final_measurements(structure).operations)
    if any(operation.name == "measure" for operation in operations):
        raise ObservableError(
            "a circuit that measures before its end has no expectation value here; measure only at the end"
        )
    for qubit, pauli in enumerate(reversed(basis)):
        operations += [Operation(name, (qubit,)) for name in _ROTATIONS[pauli]]
    operations += [Operation("measure", (qubit,), (), (qubit,)) for qubit in range(structure.num_qubits)]
    return structure.with_operations(operations, structure.num_qubits)


def without_final_measurements(structure: Structure) -> Structure:
    """The structure less the measurements that nothing but barriers follows on their qubit; bits stay declared."""
    kept: list[Operation] = []
    busy: set[int] = set()
    for operation in reversed(structure.operations):
        if operation.name == "measure" and operation.qubits[0] not in busy:
            continue
        if operation.name != "barrier":
            busy.update(operation.qubits)
        kept.append(operation)
    return structure.with_operations(reversed(kept))


def final_measurements(structure: Structure) -> dict[int, int]:
    """Bit to qubit of the measurements that `without_final_measurements` leaves out; a later one owns its bit."""
    busy: set[int] = set()
    found: dict[int, int] = {}
    for operation in reversed(structure.operations):
        if operation.name == "measure" and operation.qubits[0] not in busy:
            found.setdefault(operation.bits[0], operation.qubits[0])
        elif operation.name != "barrier":
            busy.update(operation.qubits)
    return found


def expectation(
    counts: PackedCounts, observables: Sequence[Observable], grouping: Grouping
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and standard errors of observables from counts.

    For a group g with N shots, each shot s gives the value v_s = sum_t c_t (-1)^parity(s & support_t) over the
    observable's terms t in g. The mean of v estimates the group's part, and (<v^2> - <v>^2) / (N - 1) its squared
    standard error; taking the variance of the sum keeps the covariance of terms measured together (Gokhale et al.,
    arXiv:1907.13623). Groups are separate runs, so values add and squared errors add.

    Args:
        counts: rows in row-major order of [set, group], one bit for each qubit, as the executor port defines.
        observables: as given to `group`.
        grouping: what `group(observables)` returned.

    Returns:
        Two float64 arrays of shape [sets, observables]. One shot gives no estimate of a variance; the error is then
        the largest possible one, the sum of the group's absolute coefficients.

    Raises:
        ObservableError: when rows are not a multiple of the groups, or a row has no shots.
    """
    groups = len(grouping.bases)
    if counts.rows % groups or counts.bits != len(grouping.bases[0]):
        raise ObservableError(
            f"{counts.rows} rows of {counts.bits} bits do not fit {groups} groups of {len(grouping.bases[0])} qubits"
        )
    shots = counts.shots.astype(np.float64)
    if np.any(shots == 0):
        raise ObservableError("a row has no shots")
    rows, words = counts.row_of_entry, counts.words()
    tallies = counts.tallies.astype(np.float64)
    values = np.zeros((counts.rows // groups, len(observables)))
    variances = np.zeros_like(values)
    entries = [np.flatnonzero(rows % groups == index) for index in range(groups)]
    for column, observable in enumerate(observables):
        for index in sorted({grouping.group_of[label] for label in observable.labels}):
            chosen = entries[index]
            each = shot_values(words[chosen], observable, grouping, index)
            total = shots[index::groups]
            set_of_entry = rows[chosen] // groups
            mean = np.bincount(set_of_entry, tallies[chosen] * each, len(values)) / total
            deviation = (each - mean[set_of_entry]) ** 2
            spread = np.bincount(set_of_entry, tallies[chosen] * deviation, len(values)) / total
            values[:, column] += mean
            most = bound(observable, grouping, index) ** 2
            variances[:, column] += np.where(total > 1, spread / np.maximum(total - 1, 1), most)
    return values, np.sqrt(variances)


def shot_values(
    words: NDArray[np.uint64], observable: Observable, grouping: Grouping, index: int
) -> NDArray[np.float64]:
    """Value of the observable's terms of one group for each outcome, float64 [entries]."""
    terms = zip(observable.labels, observable.coefficients, strict=True)
    supports = [(_support(label), c) for label, c in terms if grouping.group_of[label] == index]
    qubits = len(grouping.bases[index])
    if len(supports) > _TABLED_TERMS and qubits <= _TABLED_QUBITS:
        table = np.zeros((1, 1 << qubits))
        for support, coefficient in supports:
            table[0, support] += coefficient
        valued: NDArray[np.float64] = parity_sums(table)[0, words[:, 0].astype(np.intp)]
        return valued
    result = np.zeros(len(words))
    first, *others = (words[:, word] for word in range(words.shape[1]))
    for support, coefficient in supports:
        ones = np.bitwise_count(first & np.uint64(support & _WORD))
        for place, column in enumerate(others, 1):
            ones += np.bitwise_count(column & np.uint64(support >> (_WORD_BITS * place) & _WORD))
        result += coefficient - (2.0 * coefficient) * (ones & 1)
    return result


def parity_sums(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row's sums of its numbers times (-1)^(parity of place & x), for every x: a Walsh-Hadamard transform.

    tables: float64 [rows, 2^n]; a diagonal observable's coefficients at their supports give its value for each outcome.
    """
    rows, size = tables.shape
    stride = 1
    while stride < size:
        pairs = tables.reshape(rows, -1, 2, stride)
        tables = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], axis=2)
        tables = tables.reshape(rows, size)
        stride *= 2
    return np.ascontiguousarray(tables)


@functools.lru_cache(maxsize=16_384)
def masks(label: str) -> tuple[int, int]:
    """A label's X part and Z part as bit masks, qubit i at 2**i; Y is both."""
    return int(label.translate(_X_DIGITS), 2), int(label.translate(_Z_DIGITS), 2)


def bound(observable: Observable, grouping: Grouping, index: int) -> float:
    """The largest value that one shot of a group can give an observable's terms, those of the identity apart."""
    terms = zip(observable.labels, observable.coefficients, strict=True)
    return sum(abs(c) for label, c in terms if grouping.group_of[label] == index and label.strip("I"))


def _support(label: str) -> int:
    x, z = masks(label)
    return x | z


def _label(x: int, z: int, width: int) -> str:
    return "".join("IXZY"[(x >> qubit & 1) + 2 * (z >> qubit & 1)] for qubit in reversed(range(width)))
