"""The mean energy of a share of the shots, those of least energy: the objective of loops that ask for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quire_aggregation.scoring import energies
from quire_contracts.value import Observable
from quire_quantum.counts import PackedCounts

Array = NDArray[np.float64]


def tail_means(counts: PackedCounts, observable: Observable, share: float) -> tuple[Array, Array]:
    """Means and their standard errors, both [rows, 1]: of the ceil(share x shots) shots of least energy of each row.

    The conditional value at risk of samples (Barkoutsos et al., Quantum 4, 256, 2020). Its variance is
    (variance of the tail + (1 - share) (mean - quantile)^2) / (shots in the tail), for many shots (Manistre, Hancock,
    North American Actuarial Journal 9 (2), 2005); the quantile is the largest energy in the tail.

    Args:
        counts: samples over the qubits of a diagonal observable.
        observable: the energy.
        share: above 0, at most 1.
    """
    energy, tallies = energies(counts, observable), counts.tallies.astype(np.int64)
    found = [
        _tail(energy[start:end], tallies[start:end], share)
        for start, end in zip(counts.offsets[:-1].tolist(), counts.offsets[1:].tolist(), strict=True)
    ]
    means, errors = np.array(found, np.float64).reshape(-1, 2).T
    return means[:, np.newaxis], errors[:, np.newaxis]


def _tail(energy: Array, tallies: NDArray[np.int64], share: float) -> tuple[float, float]:
    order = np.argsort(energy, kind="stable")
    values, ends = energy[order], np.cumsum(tallies[order])
    wanted = int(np.ceil(share * ends[-1] * (1 - 1e-12)))
    taken = np.diff(np.minimum(ends, wanted), prepend=0).astype(np.float64)
    mean = float(taken @ values) / wanted
    spread = float(taken @ (values - mean) ** 2) / wanted
    quantile = float(values[np.flatnonzero(taken)[-1]])
    return mean, float(np.sqrt((spread + (1 - share) * (quantile - mean) ** 2) / wanted))
