"""How QAOA's energy depends on each of its angles: the frequencies that exact curves and gradients are made of."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Final

from quire_contracts.preparation import Spectrum
from quire_preprocessing.optimize.ising import Energy
from quire_preprocessing.optimize.qaoa import angle_unit

PARTS: Final = 12
"""Weights have a common measure if it goes into the smallest of them at most so many times."""

TOLERANCE: Final = 1e-9
"""By how much of itself a weight may miss a multiple."""

_MIXER_SPACING: Final = 2.0
"""A mixer is rx(-2 beta)."""


def spectra(energy: Energy, layers: int, most: int) -> tuple[Spectrum | None, ...]:
    """The spectrum of each of QAOA's angles, all gammas and then all betas.

    An angle that many gates share has as many frequencies as their eigenvalues' differences (Wierichs et al., Quantum
    6, 677, 2022). The energy is a sum of terms, and a term knows only the gates of its light cone (Farhi et al.,
    arXiv:1411.4028): going back from a term on the qubits S, a layer's mixers act on S, its couplings and fields that
    touch S act on S and on the neighbours of S. So a beta has |S| frequencies, multiples of 2, and a gamma as many as
    the weights of those couplings and fields have measures together; the widest cone counts.

    None stands for an angle with more than `most` frequencies, and for gammas where weights have no common measure.
    """
    weights = [weight for _, _, weight in energy.couplings] + [field for field in energy.fields if field]
    measure = common_measure(weights)
    betas, gammas = [0] * layers, [0.0] * layers
    for cone in _cones(energy, layers):
        for back, (mixers, weight) in enumerate(cone):
            layer = layers - 1 - back
            betas[layer], gammas[layer] = max(betas[layer], mixers), max(gammas[layer], weight)
    found: list[Spectrum | None] = []
    for weight in gammas:
        count = round(weight / measure) if measure else 0
        # rzz(2 w / u gamma) turns by 2 w / u radians for each radian of gamma
        spacing = 2 * measure / angle_unit(energy) if measure else 0.0
        found.append(Spectrum(spacing=spacing, count=count) if 0 < count <= most else None)
    found += [Spectrum(spacing=_MIXER_SPACING, count=count) if count <= most else None for count in betas]
    return tuple(found)


def common_measure(weights: list[float]) -> float | None:
    """The largest measure that every weight is a multiple of, or None: see `PARTS` and `TOLERANCE`."""
    sizes = [abs(weight) for weight in weights]
    smallest = min(sizes)
    for parts in range(1, PARTS + 1):
        multiples = [size / smallest * parts for size in sizes]
        if all(abs(multiple - round(multiple)) <= TOLERANCE * multiple for multiple in multiples):
            return smallest / parts
    return None


def _cones(energy: Energy, layers: int) -> list[list[tuple[int, float]]]:
    """Of each term, going back layer by layer: the mixers in its light cone, and the weights that touch it, summed."""
    neighbours: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    for i, j, weight in energy.couplings:
        neighbours[i].append((j, abs(weight)))
        neighbours[j].append((i, abs(weight)))
    starts = {frozenset((i, j)) for i, j, _ in energy.couplings}
    starts |= {frozenset((qubit,)) for qubit, field in enumerate(energy.fields) if field}
    cones = []
    for start in sorted(starts, key=sorted):
        reached, cone = set(start), []
        for _ in range(layers):
            touching = math.fsum(
                weight / 2 if other in reached else weight for qubit in reached for other, weight in neighbours[qubit]
            ) + math.fsum(abs(energy.fields[qubit]) for qubit in reached)
            cone.append((len(reached), touching))
            reached |= {other for qubit in tuple(reached) for other, _ in neighbours[qubit]}
        cones.append(cone)
    return cones
