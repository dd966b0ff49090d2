"""A preparation before its large parts are put away: the values that the ideas make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quire_contracts.kernel import Gram
from quire_contracts.mitigation import Mitigation
from quire_contracts.preparation import Columns, Estimate, Spectrum
from quire_contracts.problems import Problems
from quire_contracts.value import Observable
from quire_quantum.structure import Structure


@dataclass(frozen=True, slots=True, kw_only=True)
class Varied:
    """One of several circuits of a loop: what `LoopCircuit` says, with plain values in place of blobs."""

    name: str
    structure: Structure
    start_points: NDArray[np.float64]
    estimate: Estimate
    spectra: tuple[Spectrum | None, ...] = ()
    columns: Columns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """The circuits that a loop chooses between or climbs through; the fields mean what those of `Loop` do."""

    circuits: tuple[Varied, ...]
    climbs: bool
    mixed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What `Preparation` says, with plain values in place of blobs; the fields of the same name mean the same.

    parameters: float64 [sets, structure parameters], or None where a loop finds them.
    circuits: circuits for each parameter set: measurement bases, 1 for sampling and for exact values; once for each
        scale of noise.
    start_points: float64 [candidates, structure parameters] of a loop, and `scale` from its energy to its objective.
    problem, unit: what the loop solves, and what its objective counts.
    spectra: how its energy depends on each parameter, where its optimiser goes by that. cvar: as `Loop` has it.
    columns: how the structure's parameters follow from the loop's, whose `start_points` then are, where they differ.
    kernel: the matrix that the parameter sets fill, where they do.
    several: the circuits of a loop that has more than one; the draft is of the first. starts: as `Loop` has it.
    """

    structure: Structure
    parameters: NDArray[np.float64] | None
    observables: tuple[Observable, ...] | None
    shots: int | None
    estimate: Estimate
    circuits: int = 1
    start_points: NDArray[np.float64] | None = None
    scale: Literal[1, -1] = 1
    problem: Problems | None = None
    unit: str = ""
    spectra: tuple[Spectrum | None, ...] = ()
    cvar: float | None = None
    mitigation: Mitigation | None = None
    kernel: Gram | None = None
    columns: Columns | None = None
    several: Several | None = None
    starts: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is refused because of its size. The settings of the same names say why each is what it is."""

    max_variables: int = 24
    max_angles: int = 8_000_000
    max_sampled_terms: int = 4_000
    max_total_shots: int = 1_000_000_000
    exact_qubits: int = 16
    screened_qubits: int = 24
