"""The rules of a minimisation that a type cannot say, and that need no parsing of a program."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quire_contracts.loop_rules import round_rules
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
