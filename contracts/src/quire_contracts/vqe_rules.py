"""The rules of a minimisation that a type cannot say, and that need no parsing of a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.loop_circuits import ansaetze_of, starts_of
from quire_contracts.loop_rules import round_rules
from quire_contracts.value import Problem
from quire_contracts.vqe import HardwareEfficient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quire_contracts.vqe import Vqe

SMALLEST: Final = 1e-100
LARGEST: Final = 1e100
"""Of the sum of a Hamiltonian's coefficients: variances, which are squares of it, are then finite, and not 0."""


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
    problems = _sizes(hamiltonian, constant)
    several = not isinstance(algorithm.candidates, msgspec.UnsetType)
    for place, ansatz in enumerate(ansaetze_of(algorithm)):
        where = f"/algorithm/candidates/{place}" if several else "/algorithm/ansatz"
        if isinstance(ansatz, HardwareEfficient):
            problems += _ansatz_rules(ansatz, algorithm, next(iter(widths)), where)
    return problems


def _sizes(hamiltonian: Mapping[str, float], constant: float) -> list[Problem]:
    """The energy has to depend on the state, and its squares have to be numbers too."""
    size = sum(abs(value) for label, value in hamiltonian.items() if label.strip("I"))
    if size == 0.0:
        return [
            Problem(
                pointer="/hamiltonian",
                reason="no term but the identity has a coefficient, so every state has the same energy",
                hint="give at least one label with X, Y or Z a coefficient other than 0",
            )
        ]
    whole = sum(map(abs, hamiltonian.values())) + abs(constant)
    if size >= SMALLEST and whole <= LARGEST:
        return []
    return [
        Problem(
            pointer="/hamiltonian",
            reason=f"the sizes of the coefficients sum to {whole:g}, which arithmetic cannot bear",
            limit=f"{SMALLEST:g} to {LARGEST:g}",
            hint="choose another unit",
        )
    ]


def _ansatz_rules(ansatz: HardwareEfficient, algorithm: Vqe, qubits: int, where: str) -> list[Problem]:
    problems = []
    if ansatz.state and len(ansatz.state) != qubits:
        problems.append(
            Problem(
                pointer=f"{where}/state",
                reason=f"{len(ansatz.state)} bits for the {qubits} qubits of the Hamiltonian",
                limit=f"exactly {qubits}",
                hint="give one 0 or 1 for each qubit, the right-most for qubit 0",
            )
        )
    angles = ansatz.angles(qubits)
    if algorithm.initial and len(algorithm.initial) != angles:
        problems.append(initial_problem(len(algorithm.initial), angles))
    cure, runs = "use fewer layers or rotations", starts_of(algorithm)
    return problems + round_rules(algorithm.optimizer, angles, angles, cure, runs)


def initial_problem(given: int, wanted: int) -> Problem:
    """That a start point has another number of angles than the ansatz."""
    return Problem(
        pointer="/algorithm/initial",
        reason=f"{given} angles for {wanted} parameters of the ansatz",
        limit=f"exactly {wanted}",
        hint="give one angle for each parameter, or leave `initial` out",
    )
