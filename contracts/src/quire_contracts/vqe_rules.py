"""The rules of a minimisation that a type cannot say, and that need no parsing of a program."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quire_contracts import limits
from quire_contracts.optimizers import CmaEs, Optimizer, Scipy, fewest_sets
from quire_contracts.value import Problem
from quire_contracts.vqe import HardwareEfficient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quire_contracts.vqe import Vqe


def vqe_rules(hamiltonian: Mapping[str, float], constant: float, algorithm: Vqe) -> list[Problem]:
    """What is wrong with a minimisation; pointers begin at the document's root."""
    widths = {len(label) for label in hamiltonian}
    if len(widths) > 1:
        return [
            Problem(
                pointer="/hamiltonian",
                reason=f"labels have different lengths: {sorted(widths)[:5]}",
                hint="write each label with one character for each qubit, the right-most for qubit 0",
            )
        ]
    problems = _numbers(hamiltonian, constant)
    if not any(label.strip("I") and value for label, value in hamiltonian.items()):
        problems.append(
            Problem(
                pointer="/hamiltonian",
                reason="no term but the identity has a coefficient, so every state has the same energy",
                hint="give at least one label with X, Y or Z a coefficient other than 0",
            )
        )
    if isinstance(algorithm.ansatz, HardwareEfficient):
        problems += _ansatz_rules(algorithm.ansatz, algorithm, next(iter(widths)))
    return problems


def round_rules(optimizer: Optimizer, parameters: int, numbers: int, cure: str) -> list[Problem]:
    """A round's parameter sets are one task, which has a size; COBYLA's steps go from the first down to the last.

    Args:
        optimizer: which one.
        parameters: how many it has.
        numbers: of the structure, for each parameter set; as many or more.
        cure: what to do where there are too many, besides another optimiser or a smaller population.
    """
    if isinstance(optimizer, Scipy) and optimizer.method == "cobyla" and optimizer.tolerance > optimizer.step:
        return [
            Problem(
                pointer="/algorithm/optimizer/tolerance",
                reason=f"the last step, {optimizer.tolerance:g}, would be longer than the first, {optimizer.step:g}",
                limit=f"at most the step, {optimizer.step:g}",
                hint="lower the tolerance or raise the step",
            )
        ]
    sets, most = fewest_sets(optimizer, parameters), limits.LOOP_NUMBERS // max(1, numbers)
    if sets <= most:
        return []
    population = isinstance(optimizer, CmaEs) and most > 0
    return [
        Problem(
            pointer="/algorithm/optimizer/population" if population else "/algorithm",
            reason=f"a round would have {sets} parameter sets of {numbers} angles",
            limit=f"at most {limits.LOOP_NUMBERS} numbers, here {most} parameter sets",
            hint="lower the population" if population else f"{cure}, or an optimiser without a gradient",
        )
    ]


def _numbers(hamiltonian: Mapping[str, float], constant: float) -> list[Problem]:
    hint = "correct the number"
    problems = [
        Problem(pointer=f"/hamiltonian/{label}", reason="the coefficient is not finite", hint=hint)
        for label, value in hamiltonian.items()
        if not math.isfinite(value)
    ][:10]
    if not math.isfinite(constant):
        problems.append(Problem(pointer="/constant", reason="the constant is not finite", hint=hint))
    return problems


def _ansatz_rules(ansatz: HardwareEfficient, algorithm: Vqe, qubits: int) -> list[Problem]:
    problems = []
    if ansatz.state and len(ansatz.state) != qubits:
        problems.append(
            Problem(
                pointer="/algorithm/ansatz/state",
                reason=f"{len(ansatz.state)} bits for the {qubits} qubits of the Hamiltonian",
                limit=f"exactly {qubits}",
                hint="give one 0 or 1 for each qubit, the right-most for qubit 0",
            )
        )
    angles = ansatz.angles(qubits)
    if algorithm.initial and len(algorithm.initial) != angles:
        problems.append(initial_problem(len(algorithm.initial), angles))
    return problems + round_rules(algorithm.optimizer, angles, angles, "use fewer layers or rotations")


def initial_problem(given: int, wanted: int) -> Problem:
    """That a start point has another number of angles than the ansatz."""
    return Problem(
        pointer="/algorithm/initial",
        reason=f"{given} angles for {wanted} parameters of the ansatz",
        limit=f"exactly {wanted}",
        hint="give one angle for each parameter, or leave `initial` out",
    )
