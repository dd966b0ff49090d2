"""A Pauli sum as a sparse matrix, so that its ground energy can be worked out."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_contracts.value import Observable

_X_DIGITS: Final = str.maketrans("IXYZ", "0110")
_Z_DIGITS: Final = str.maketrans("IXYZ", "0011")
_PHASES: Final = (1, 1j, -1, -1j)
"""i to the number of Ys: Y is i X Z."""


def elements(observable: Observable) -> int:
    """How many matrix elements it has that can differ from 0: 2^qubits for each pattern of flipped qubits."""
    flips = {label.translate(_X_DIGITS) for label in observable.labels}
    return len(flips) << len(observable.labels[0])


def sparse_rows(observable: Observable) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """The elements of each row and their columns, both [2^qubits, flips]; bit i of an index is qubit i.

    A label P with flips x and signs z takes |j> to i^(number of Ys) (-1)^(parity of j & z) |j ^ x>. The elements are
    float64 where every label has an even number of Ys, else complex128.
    """
    terms: defaultdict[int, list[tuple[int, complex]]] = defaultdict(list)
    for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
        flip, sign = int(label.translate(_X_DIGITS), 2), int(label.translate(_Z_DIGITS), 2)
        terms[flip].append((sign, coefficient * _PHASES[label.count("Y") % 4]))
    real = all(label.count("Y") % 2 == 0 for label in observable.labels)
    rows = np.arange(1 << len(observable.labels[0]), dtype=np.int32)
    flips = sorted(terms)
    columns = rows[:, None] ^ np.array(flips, np.int32)
    values = np.zeros(columns.shape, np.float64 if real else np.complex128)
    for place, flip in enumerate(flips):
        for sign, factor in terms[flip]:
            odd = np.bitwise_count(columns[:, place] & np.int32(sign)) & 1
            values[:, place] += (factor.real if real else factor) * (1.0 - 2.0 * odd)
    return values, columns
