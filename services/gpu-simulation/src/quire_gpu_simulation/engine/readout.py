"""What is read off a state: which Pauli strings for exact values, which bits and which sums for shots.

These plans follow from observables, measurements and the number of qubits alone; every back end reads the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from quire_gpu_simulation.engine.compiled import Affine, Layer
from quire_gpu_simulation.engine.merging import Angles, merged
from quire_gpu_simulation.engine.steps import One
from quire_quantum.observables import group, masks, parity_sums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from quire_contracts.value import Observable

TABLE_ENTRIES: Final = 1 << 17
"""Values of diagonal observables are looked up in tables as long as these have no more entries (1 MiB)."""


class Strings(NamedTuple):
    """Exact values of strings, Re(i^y sum over b of conj(state[b ^ flip]) state[b] (-1)^(parity of b & z)) each.

    Strings are gathered by (flip, y odd or even): those of group g are `starts[g]` up to `starts[g + 1]`. `signs` is
    the real factor that i^y leaves, for odd y before the imaginary part. Values are
    `constants + strings @ weights`, weights being float64 [strings, observables]. Where `tables` (float64
    [observables, 2^n]) is not empty it holds the diagonal strings' weighted sums instead, and they are in no group.
    """

    flips: NDArray[np.int64]
    odd: NDArray[np.int64]
    starts: NDArray[np.int64]
    masks: NDArray[np.int64]
    signs: NDArray[np.float64]
    weights: NDArray[np.float64]
    constants: NDArray[np.float64]
    tables: NDArray[np.float64]


class Sums(NamedTuple):
    """Values of single shots: pair p is the part of `observables[p]` that is measured in basis `groups[p]`.

    A shot with outcome x has the value sum of `weights[t] (-1)^(parity of x & masks[t])` over t from `starts[p]` up to
    `starts[p + 1]`, in this order; `bounds[p]` is the largest it can differ from its mean by. `tables` float64
    [pairs, 2^n] holds the values of all outcomes, or nothing where that were too many.
    """

    groups: NDArray[np.int64]
    observables: NDArray[np.int64]
    starts: NDArray[np.int64]
    masks: NDArray[np.int64]
    weights: NDArray[np.float64]
    bounds: NDArray[np.float64]
    tables: NDArray[np.float64]


class Bits(NamedTuple):
    """Classical bits of an outcome: bit `bits[k]` is bit `places[k]` of an index over the qubits `qubits`.

    The index puts qubit `qubits[j]` at bit j, so ordered that rising indices are rising outcomes. `plain` says that
    the outcome is the basis state itself.
    """

    width: int
    qubits: NDArray[np.int64]
    bits: NDArray[np.int64]
    places: NDArray[np.int64]
    plain: bool


def strings(observables: Sequence[Observable], num_qubits: int) -> Strings:
    """The plan of exact values."""
    constants = np.zeros(len(observables))
    tabled = len(observables) << num_qubits <= TABLE_ENTRIES
    tables = np.zeros((len(observables), 1 << num_qubits) if tabled else (0, 0))
    weights: dict[tuple[int, int, int], NDArray[np.float64]] = {}
    for column, observable in enumerate(observables):
        for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
            x, z = masks(label)
            if not x | z:
                constants[column] += coefficient
            elif tabled and not x:
                tables[column, z] += coefficient
            else:
                key = (x, (x & z).bit_count() % 2, z)
                weights.setdefault(key, np.zeros(len(observables)))[column] += coefficient
    keys = sorted(weights)
    groups = sorted({key[:2] for key in keys})
    return Strings(
        flips=np.array([flip for flip, _ in groups], np.int64),
        odd=np.array([odd for _, odd in groups], np.int64),
        starts=np.cumsum([0, *(sum(key[:2] == each for key in keys) for each in groups)], dtype=np.int64),
        masks=np.array([z for _, _, z in keys], np.int64),
        signs=np.array([(1.0, -1.0, -1.0, 1.0)[(x & z).bit_count() % 4] for x, _, z in keys], np.float64),
        weights=np.array([weights[key] for key in keys], np.float64).reshape(len(keys), len(observables)),
        constants=constants,
        tables=parity_sums(tables) if tables.any() else np.zeros((0, 0)),
    )


def bases(observables: Sequence[Observable]) -> tuple[Layer, ...]:
    """For each measurement basis of `observables.group` the layer that turns it into the computational one."""
    layers = []
    for basis in group(observables).bases:
        gates: dict[int, list[One]] = {}
        for qubit, pauli in enumerate(reversed(basis)):
            if pauli == "Y":
                gates[qubit] = [One("z", qubit, Affine(-np.pi / 2)), One("h", qubit)]
            elif pauli == "X":
                gates[qubit] = [One("h", qubit)]
        layers.append(Layer(merged(gates, Angles())))
    return tuple(layers)


def sums(observables: Sequence[Observable], num_qubits: int) -> Sums:
    """The plan of values from shots; see `quire_quantum.observables.expectation` for the formulas."""
    grouping = group(observables)
    pairs: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for column, observable in enumerate(observables):
        for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
            x, z = masks(label)
            pairs.setdefault((grouping.group_of[label], column), []).append((x | z, coefficient))
    order = sorted(pairs)
    terms = [term for pair in order for term in pairs[pair]]
    tables = np.zeros((len(order), 1 << num_qubits) if len(order) << num_qubits <= TABLE_ENTRIES else (0, 0))
    if len(tables):
        for row, pair in enumerate(order):
            for mask, coefficient in pairs[pair]:
                tables[row, mask] += coefficient
        tables = parity_sums(tables)
    return Sums(
        groups=np.array([each for each, _ in order], np.int64),
        observables=np.array([column for _, column in order], np.int64),
        starts=np.cumsum([0, *(len(pairs[pair]) for pair in order)], dtype=np.int64),
        masks=np.array([mask for mask, _ in terms], np.int64),
        weights=np.array([weight for _, weight in terms], np.float64),
        bounds=np.array([sum(abs(weight) for mask, weight in pairs[pair] if mask) for pair in order], np.float64),
        tables=tables,
    )


def all_qubits(num_qubits: int) -> Bits:
    """Every qubit, bit i being qubit i."""
    every = np.arange(num_qubits, dtype=np.int64)
    return Bits(num_qubits, every, every, every, plain=True)


def measured(by_bit: Mapping[int, int], num_bits: int, num_qubits: int) -> Bits:
    """The qubits that `observables.final_measurements` names by bit, in an outcome of so many bits."""
    highest: dict[int, int] = {}
    for bit, qubit in by_bit.items():
        highest[qubit] = max(highest.get(qubit, 0), bit)
    qubits = sorted(highest, key=lambda qubit: highest[qubit])
    bits = sorted(by_bit)
    places = [qubits.index(by_bit[bit]) for bit in bits]
    return Bits(
        width=num_bits,
        qubits=np.array(qubits, np.int64),
        bits=np.array(bits, np.int64),
        places=np.array(places, np.int64),
        plain=bits == qubits == list(range(num_qubits)),
    )
