"""What a document may say of QAOA, beyond what its type says."""

from __future__ import annotations

import msgspec

from quire_contracts import limits
from quire_contracts.document import Qaoa
from quire_contracts.loop_circuits import circuits_of, climbs, starts_of
from quire_contracts.loop_rules import record_rules
from quire_contracts.optimizers import CmaEs, Nft, Optimizer, ParameterShift, Scipy, fewest_sets
from quire_contracts.value import Problem


def qaoa_rules(algorithm: Qaoa) -> list[Problem]:
    """A round's parameter sets are one task, which has a size; COBYLA's steps go from the first down to the last."""
    optimizer, runs = algorithm.optimizer, starts_of(algorithm)
    angles = 2 * max(circuit.layers for circuit in circuits_of(algorithm))
    if isinstance(optimizer, Scipy) and optimizer.method == "cobyla" and optimizer.tolerance > optimizer.step:
        return [
            Problem(
                pointer="/algorithm/optimizer/tolerance",
                reason=f"the last step, {optimizer.tolerance:g}, would be longer than the first, {optimizer.step:g}",
                limit=f"at most the step, {optimizer.step:g}",
                hint="lower the tolerance or raise the step",
            )
        ]
    if not isinstance(algorithm.cvar, msgspec.UnsetType) and _needs_means(optimizer):
        return [
            Problem(
                pointer="/algorithm/cvar",
                reason="the best share of the shots has no curves and no exact derivatives for the optimiser to go by",
                hint="leave out `cvar`, or use spsa, cma-es, or scipy's cobyla, nelder-mead or powell",
            )
        ]
    sets, most = runs * fewest_sets(optimizer, angles), limits.LOOP_NUMBERS // angles
    if sets <= most:
        return record_rules(optimizer, angles, runs, algorithm.layers if climbs(algorithm) else 1)
    population = isinstance(optimizer, CmaEs)
    return [
        Problem(
            pointer="/algorithm/optimizer/population" if population else "/algorithm/layers",
            reason=f"a round would have {sets} parameter sets of {angles} angles",
            limit=f"at most {limits.LOOP_NUMBERS} numbers, here {most} parameter sets",
            hint="lower the population" if population else "use fewer layers, or an optimiser without a gradient",
        )
    ]


def _needs_means(optimizer: Optimizer) -> bool:
    """Whether it goes by what only an expectation has: a curve for each angle, or exact derivatives."""
    return isinstance(optimizer, Nft | ParameterShift) or (
        isinstance(optimizer, Scipy) and optimizer.method == "l-bfgs-b"
    )
