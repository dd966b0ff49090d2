"""Local searches of the encoding from many starts: annealing, tabu search and steepest descent (dwave-samplers)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from quire_preprocessing.classical.case import Case, Found
from quire_preprocessing.draws import derived_seed

if TYPE_CHECKING:
    import dimod

SWEEPS: Final = 1_000
FEWEST_RUNS: Final = 8
MOST_RUNS: Final = 50_000
MOST_DESCENTS: Final = 400_000
TABU_RUNS: Final = 16
_STEPS: Final = 200
"""Of one tabu search before it starts anew from a changed place."""

WIDEST_TABU: Final = 2_048
"""Variables: the search holds two matrices of their square."""

_SPINS_A_SECOND: Final = 100e6
"""Spins that annealing looks at, and neighbours that it tells of a turn."""

_MOVES_A_SECOND: Final = 250e6
"""Variables that tabu search weighs or renews."""

_DESCENTS_A_SECOND: Final = 250e6
"""Variables that descent weighs or renews."""

_MOST_LOOKED_AT: Final = 64
"""Of equally good ends, of which the first is taken."""

_CLOSE: Final = 1e-9
"""Two energies are one if they differ by less than this share of all weights."""


def annealing(case: Case) -> Found:
    """Simulated annealing with dwave-samplers' own schedule of temperatures, from hot to cold by the weights."""
    from dwave.samplers import SimulatedAnnealingSampler  # noqa: PLC0415 - most problems are enumerated; it is heavy

    sweep = case.energy.variables + len(case.energy.couplings) / 4
    visits = case.seconds * _SPINS_A_SECOND / sweep
    runs = int(min(max(visits // SWEEPS, FEWEST_RUNS), MOST_RUNS))
    sweeps = int(min(max(visits // runs, 1), SWEEPS))
    samples = SimulatedAnnealingSampler().sample(
        _model(case), num_reads=runs, num_sweeps=sweeps, seed=derived_seed(case.seed, "annealing", 31)
    )
    return _best(case, samples, f"{runs} runs of {sweeps} sweeps")


def tabu(case: Case) -> Found:
    """Multistart tabu search (Palubeckis, 2004), its searches counted: a limit of time would make it unrepeatable."""
    from dwave.samplers import TabuSampler  # noqa: PLC0415 - as above

    n = case.energy.variables
    if n > WIDEST_TABU:
        return Found(note=f"not tried: more than {WIDEST_TABU} variables")
    search = _STEPS * 2 * n + 3 * n * n
    searches = case.seconds * _MOVES_A_SECOND / search
    runs = int(min(max(searches // 2, 1), TABU_RUNS))
    restarts = int(min(max(searches // runs - 1, 0), 10_000))
    samples = TabuSampler().sample(
        _model(case),
        num_reads=runs,
        seed=derived_seed(case.seed, "tabu", 32),
        timeout=None,  # type: ignore[arg-type]  # which the library knows, unlike its types
        num_restarts=restarts,
        coefficient_z_first=_STEPS,
        coefficient_z_restart=_STEPS,
        lower_bound_z=1,
    )
    return _best(case, samples, f"{runs} runs of {restarts + 1} searches with {_STEPS} steps")


def descent(case: Case) -> Found:
    """Steepest descent from random places, until no single variable can be turned for the better."""
    from dwave.samplers import SteepestDescentSolver  # noqa: PLC0415 - as above

    n, pairs = case.energy.variables, len(case.energy.couplings)
    one = n * n / 3 + 2 * pairs + 500
    runs = int(min(max(case.seconds * _DESCENTS_A_SECOND / one, FEWEST_RUNS), MOST_DESCENTS))
    samples = SteepestDescentSolver().sample(_model(case), num_reads=runs, seed=derived_seed(case.seed, "descent", 32))
    return _best(case, samples, f"{runs} random starts")


def _model(case: Case) -> dimod.BinaryQuadraticModel:
    """The energy without its offset, the largest weight being 1."""
    import dimod  # noqa: PLC0415 - as above

    energy = case.energy
    largest = max(map(abs, (*energy.fields, *(weight for _, _, weight in energy.couplings))))
    model = dimod.BinaryQuadraticModel(dimod.SPIN)
    model.add_linear_from((i, h / largest) for i, h in enumerate(energy.fields))
    model.add_quadratic_from((i, j, weight / largest) for i, j, weight in energy.couplings)
    return model


def _best(case: Case, samples: dimod.SampleSet, tuning: str) -> Found:
    """The end of least energy, of equals the first as numbers are read; energies close to it are worked out anew."""
    energy = case.energy
    weights = (*energy.fields, *(weight for _, _, weight in energy.couplings))
    close = _CLOSE * sum(map(abs, weights)) / max(map(abs, weights))
    at_best = np.flatnonzero(samples.record.energy <= samples.record.energy.min() + close)
    columns = [samples.variables.index(i) for i in range(energy.variables)]
    ends = np.unique((1 - samples.record.sample[at_best][:, columns]) // 2, axis=0)[:_MOST_LOOKED_AT]
    best = min((tuple(end) for end in ends.tolist()), key=energy.of)
    return Found(assignment=best, runs=len(samples.record), hits=len(at_best), tuning=tuning)
