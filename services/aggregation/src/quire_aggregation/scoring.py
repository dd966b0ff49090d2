"""The score of samples of an optimisation problem: the best assignment among them, and how good it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quire_contracts.result import Best, Quality
from quire_contracts.task import Scoring
from quire_contracts.value import Observable
from quire_quantum.counts import PackedCounts
from quire_quantum.observables import masks

_CHUNK: Final = 65_536
"""Outcomes at a time: 100 MiB of spins for 200 qubits."""

_RELATIVE: Final = 1e-9
"""Energies closer than this, relative to the sum of the absolute coefficients, are equal: rounding, not physics."""


@dataclass(frozen=True, slots=True)
class Score:
    """The best answer so far, and its figures."""

    best: Best | None
    figures: Quality


@dataclass(frozen=True, slots=True)
class Cost:
    """A diagonal observable as a polynomial of spins: constant + linear s + s quadratic s + products of more."""

    constant: float
    linear: NDArray[np.float64]
    quadratic: NDArray[np.float64]
    higher: tuple[tuple[tuple[int, ...], float], ...]


def is_diagonal(observable: Observable) -> bool:
    """Whether every term is made of I and Z, so that each outcome has an energy of its own."""
    return all(not label.strip("IZ") for label in observable.labels)


def tolerance(observable: Observable) -> float:
    """Up to which difference two energies of the observable are equal."""
    return _RELATIVE * max(1.0, math.fsum(map(abs, observable.coefficients)))


def energies(counts: PackedCounts, observable: Observable) -> NDArray[np.float64]:
    """The energy of each entry of the counts, float64 [entries]; bit i set means Z_i = -1.

    Terms of one and two factors go through matrix products over all outcomes at once; a 24-qubit cost over a million
    outcomes takes a fraction of a second.
    """
    cost = _cost(observable, counts.bits)
    result = np.empty(len(counts.tallies))
    for start in range(0, len(result), _CHUNK):
        spins = _spins(counts.outcomes[start : start + _CHUNK], counts.bits)
        energy = cost.constant + spins @ cost.linear + np.einsum("ij,ij->i", spins @ cost.quadratic, spins)
        for factors, coefficient in cost.higher:
            energy += coefficient * spins[:, factors].prod(axis=1)
        result[start : start + _CHUNK] = energy
    return result


def score(counts: PackedCounts | None, observable: Observable, scoring: Scoring) -> Score:
    """Score samples against earlier answers and the baseline.

    The objective is `scale * energy` with the observable's energy, which is minimised. Of equally good outcomes the
    lowest number counts, and an earlier equally good answer stays. `Best.probability` and `success_probability` are
    shares of these counts, over all rows.

    Args:
        counts: samples over the qubits, qubit i in bit i; variable i of the problem is qubit i. None scores only what
            earlier tasks found.
        observable: the diagonal cost.
        scoring: scale, baseline and the best answer so far.
    """
    if counts is None or not len(counts.tallies):
        return Score(scoring.best, figures(scoring.best, scoring, tolerance(observable)))
    energy, tallies, close = energies(counts, observable), counts.tallies.astype(np.float64), tolerance(observable)
    best = better(scoring.best, _best_of(counts, energy, observable, scoring.scale, close), scoring.scale, close)
    shots = float(tallies.sum())
    hits = np.abs(scoring.scale * energy - best.value) <= close
    return Score(
        Best(best.value, best.assignment, share_of(counts, best.assignment)),
        figures(
            best,
            scoring,
            close,
            success_probability=float(tallies[hits].sum()) / shots,
            mean_objective=scoring.scale * float(tallies @ energy) / shots + 0.0,
        ),
    )


def _best_of(
    counts: PackedCounts, energy: NDArray[np.float64], observable: Observable, scale: int, close: float
) -> Best:
    assignment = lowest(counts, energy, close)
    return Best(scale * energy_at(observable, assignment) + 0.0, assignment)


def lowest(counts: PackedCounts, rank: NDArray[np.float64], close: float) -> tuple[int, ...]:
    """The outcome of lowest rank, as an assignment; of those that are equally good the lowest number."""
    ties = np.flatnonzero(rank <= rank.min() + close)
    words = counts.words()[ties]
    winner = ties[np.lexsort(words.T)[0]]
    return tuple(digits(counts.outcomes[winner : winner + 1], counts.bits)[0].tolist())


def energy_at(observable: Observable, assignment: tuple[int, ...]) -> float:
    """The energy of one assignment, its sum rounded once."""
    ones = _number(assignment)
    terms = zip(observable.labels, observable.coefficients, strict=True)
    return math.fsum(-c if (masks(label)[1] & ones).bit_count() % 2 else c for label, c in terms)


def better(earlier: Best | None, found: Best, scale: int, close: float) -> Best:
    """The one with the better value; of equally good ones the earlier."""
    return earlier if earlier is not None and scale * (earlier.value - found.value) <= close else found


def figures(
    best: Best | None,
    scoring: Scoring,
    close: float,
    *,
    success_probability: float | None = None,
    mean_objective: float | None = None,
    feasible_share: float | None = None,
) -> Quality:
    """The figures of `result.Quality`, each None where its yardstick is missing."""
    ratio = gap = optimal = None
    reference, worst = scoring.reference, scoring.worst
    if best is not None and reference is not None:
        gap = abs(best.value - reference) / max(1.0, abs(reference))
        if worst is not None and worst != reference:
            ratio = (worst - best.value) / (worst - reference)
        if scoring.reference_exact:
            optimal = abs(best.value - reference) <= close
    return Quality(ratio, gap, optimal, success_probability, mean_objective, feasible_share)


def share_of(counts: PackedCounts, assignment: tuple[int, ...]) -> float | None:
    """Share of all shots that gave exactly this assignment; None for an assignment of another width."""
    if len(assignment) != counts.bits:
        return None
    octets = _number(assignment).to_bytes(counts.outcomes.shape[1], "big")
    same = np.ones(len(counts.tallies), np.bool_)
    for column, octet in zip(counts.outcomes.T, octets, strict=True):
        same &= column == octet
    return float(counts.tallies[same].sum(dtype=np.int64)) / float(counts.tallies.sum(dtype=np.int64))


def _cost(observable: Observable, qubits: int) -> Cost:
    constant, linear, quadratic = 0.0, np.zeros(qubits), np.zeros((qubits, qubits))
    higher = []
    for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
        factors = tuple(qubit for qubit, pauli in enumerate(reversed(label)) if pauli == "Z")
        if not factors:
            constant += coefficient
        elif len(factors) == 1:
            linear[factors[0]] += coefficient
        elif len(factors) == 2:  # noqa: PLR2004 - a pair
            quadratic[factors] += coefficient
        else:
            higher.append((factors, coefficient))
    return Cost(constant, linear, quadratic, tuple(higher))


def _number(assignment: tuple[int, ...]) -> int:
    """Bit i at 2**i."""
    return sum(bit << place for place, bit in enumerate(assignment))


def digits(outcomes: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Outcomes as 0 and 1, [entries, bits], column i for bit i."""
    return np.unpackbits(outcomes, axis=1)[:, 8 * outcomes.shape[1] - bits :][:, ::-1]


def _spins(outcomes: NDArray[np.uint8], bits: int) -> NDArray[np.float64]:
    return 1.0 - 2.0 * digits(outcomes, bits).astype(np.float64)
