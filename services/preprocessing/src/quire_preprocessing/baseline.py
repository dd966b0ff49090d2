"""An honest classical answer: the optimum where every assignment can be looked at, else the best found by annealing."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from quire_contracts.preparation import Baseline
from quire_preprocessing.draws import derived_seed
from quire_preprocessing.enumeration import enumerate_all
from quire_preprocessing.ising import Energy
from quire_problems import Kind, tell

EXACT_VARIABLES: Final = 24
READS: Final = 64
SWEEPS: Final = 1_000


def solve(energy: Energy, seed: int, *, exact_variables: int = EXACT_VARIABLES) -> Baseline:
    """The baseline of a problem, in its own units; blocking, so run it in a thread.

    Up to `exact_variables` variables (at most 30 make sense) the value is the proven optimum, and the worst value of a
    feasible assignment is known too. Beyond that it is the best of 64 annealing runs. The same energy and seed give the
    same baseline.
    """
    if energy.variables <= exact_variables:
        return _exact(energy)
    return _annealed(energy, seed)


def told(baseline: Baseline, kind: Kind) -> Baseline:
    """The baseline in its problem's own terms: its objective worked out anew, what it means, or what is wrong."""
    said = tell(kind, baseline.assignment, baseline.value)
    return msgspec.structs.replace(
        baseline, value=said.value, feasible=said.feasible, violations=said.violations, answer=said.answer
    )


def _exact(energy: Energy) -> Baseline:
    least, greatest = enumerate_all(energy)
    solvable = energy.ceiling is None or energy.of(least) <= energy.ceiling
    return Baseline(
        method="exact enumeration",
        value=energy.objective(least),
        assignment=least,
        exact=True,
        worst=energy.objective(greatest) if solvable else None,
    )


def _annealed(energy: Energy, seed: int) -> Baseline:
    """Simulated annealing with dwave-samplers' own temperature schedule; the weights are scaled to at most 1."""
    # Imported here: most problems are enumerated, and these two weigh 25 MB.
    import dimod  # noqa: PLC0415
    from dwave.samplers import SimulatedAnnealingSampler  # noqa: PLC0415

    largest = max(map(abs, (*energy.fields, *(weight for _, _, weight in energy.couplings))))
    model = dimod.BinaryQuadraticModel(dimod.SPIN)
    model.add_linear_from((i, h / largest) for i, h in enumerate(energy.fields))
    model.add_quadratic_from((i, j, weight / largest) for i, j, weight in energy.couplings)
    samples = SimulatedAnnealingSampler().sample(
        model, num_reads=READS, num_sweeps=SWEEPS, seed=derived_seed(seed, "annealing", 31)
    )
    spins = samples.record.sample[:, [samples.variables.index(i) for i in range(energy.variables)]]
    assignments = sorted({tuple(((1 - row) // 2).tolist()) for row in spins})
    best = min(assignments, key=energy.of)
    return Baseline(
        method="simulated annealing",
        value=energy.objective(best),
        assignment=best,
        exact=False,
        worst=_evident_worst(energy),
    )


def _evident_worst(energy: Energy) -> float | None:
    """The worst objective where all spins alike make every term as large as it can be (an empty cut); else unknown."""
    if energy.ceiling is not None:
        return None
    for sign in (1, -1):
        if all(sign * h >= 0 for h in energy.fields) and all(weight > 0 for _, _, weight in energy.couplings):
            magnitudes = (*map(abs, energy.fields), *(weight for _, _, weight in energy.couplings))
            return energy.own(math.fsum((*magnitudes, energy.offset)))
    return None
