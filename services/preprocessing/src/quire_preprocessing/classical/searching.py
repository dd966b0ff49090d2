"""Local searches of the encoding from many starts: annealing, tabu search and steepest descent (dwave-samplers)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_preprocessing.classical.case import Case, Found
from quire_preprocessing.draws import derived_seed
from quire_problems import tolerance

if TYPE_CHECKING:
    import dimod

SWEEPS: Final = 1_000
FEWEST_RUNS: Final = 8
MOST_RUNS: Final = 50_000
MOST_DESCENTS: Final = 400_000
TABU_RUNS: Final = 16
_HOT: Final = 7.0
_COLD: Final = 10.0
"""Temperatures of annealing with penalties: the largest turn over the one, a variable's share of what the objective can
differ by over the other. Tried on tours, independent sets and portfolios of 30 to 512 variables."""

WIDEST_TABU: Final = 2_048
"""Variables: the search holds two matrices of their square."""

_SPINS_A_SECOND: Final = 75e6
"""Spins that annealing looks at; few of them turn, which costs a fortieth for each coupling."""

_MOVES_A_SECOND: Final = 250e6
"""Variables that tabu search weighs or renews."""

_DESCENTS_A_SECOND: Final = 500e6
"""Variables that descent weighs or renews."""

_CLOSE: Final = 1e-9
"""Of all weights: ends whose energies differ by less are looked at in the problem itself."""


def annealing(case: Case) -> Found:
    """Simulated annealing from hot to cold: by the weights, as dwave-samplers has it, or see `_binding`."""
    from dwave.samplers import SimulatedAnnealingSampler  # noqa: PLC0415 - most problems are enumerated; it is heavy

    sweep = case.energy.variables + len(case.energy.couplings) / 40
    visits = case.seconds * _SPINS_A_SECOND / sweep
    runs = int(min(max(visits // SWEEPS, FEWEST_RUNS), MOST_RUNS))
    sweeps = int(min(max(visits // runs, 1), SWEEPS))
    samples = SimulatedAnnealingSampler().sample(
        _model(case),
        num_reads=runs,
        num_sweeps=sweeps,
        beta_range=_binding(case),
        seed=derived_seed(case.seed, "annealing", 31),
    )
    return _best(case, samples, f"{runs} runs of {sweeps} sweeps")


def _binding(case: Case) -> tuple[float, float] | None:
    """Inverse temperatures of a problem with penalties: from where these begin to bind to where its own weights do.

    By the weights alone one would end where penalties are frozen and the objective is still hot.
    """
    low, high = case.kind.bounds
    if case.energy.ceiling is None or high <= low:
        return None
    felt = [abs(h) for h in case.energy.fields]
    for i, j, weight in case.energy.couplings:
        felt[i] += abs(weight)
        felt[j] += abs(weight)
    unit = _largest(case)
    return _HOT * unit / max(felt), _COLD * unit * case.energy.variables / (high - low)


def tabu(case: Case) -> Found:
    """Multistart tabu search (Palubeckis, 2004), its searches counted: a limit of time would make it unrepeatable."""
    from dwave.samplers import TabuSampler  # noqa: PLC0415 - as above

    n = case.energy.variables
    if n > WIDEST_TABU:
        return Found(note=f"not tried: more than {WIDEST_TABU} variables")
    steps = 4 * n + 100
    search = 2 * n * steps + n * n
    searches = case.seconds * _MOVES_A_SECOND / search
    runs = int(min(max(searches // 2, 1), TABU_RUNS))
    restarts = int(min(max(searches // runs - 1, 0), 10_000))
    samples = TabuSampler().sample(
        _model(case),
        num_reads=runs,
        seed=derived_seed(case.seed, "tabu", 32),
        timeout=None,  # type: ignore[arg-type]  # which the library knows, unlike its types
        num_restarts=restarts,
        coefficient_z_first=steps,
        coefficient_z_restart=steps,
        lower_bound_z=1,
    )
    return _best(case, samples, f"{runs} runs of {restarts + 1} searches with {steps} steps")


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
    largest = _largest(case)
    model = dimod.BinaryQuadraticModel(dimod.SPIN)
    model.add_linear_from((i, h / largest) for i, h in enumerate(energy.fields))
    model.add_quadratic_from((i, j, weight / largest) for i, j, weight in energy.couplings)
    return model


def _largest(case: Case) -> float:
    return max(_sizes(case))


def _total(case: Case) -> float:
    return math.fsum(_sizes(case))


def _sizes(case: Case) -> list[float]:
    return [*map(abs, case.energy.fields), *(abs(weight) for _, _, weight in case.energy.couplings)]


def _best(case: Case, samples: dimod.SampleSet, tuning: str) -> Found:
    """The best end by its objective, of equals the first as numbers are read; a search knows energies only roughly."""
    energy, kind = case.energy, case.kind
    at_best = samples.record.energy <= samples.record.energy.min() + _CLOSE * _total(case) / _largest(case)
    columns = [samples.variables.index(i) for i in range(energy.variables)]
    spins = samples.record.sample[at_best][:, columns]
    ends, times = np.unique(((1 - spins) // 2).astype(np.uint8), axis=0, return_counts=True)
    costs = kind.objectives(ends) * (1 if kind.sense == "min" else -1)
    costs[~kind.feasible(ends)] = np.inf
    best = int(costs.argmin())
    alike = costs <= costs[best] + tolerance(kind)
    return Found(
        assignment=tuple(ends[best].tolist()), runs=len(samples.record), hits=int(times[alike].sum()), tuning=tuning
    )
