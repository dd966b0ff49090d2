"""Hamiltonians from what people have already, as jobs that minimise their energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_IMAGINARY = 1e-10
"""Of a coefficient, relative to the largest one: more is no rounding, and the operator no observable."""


@dataclass(frozen=True)
class Hamiltonian:
    """Pauli labels and their coefficients, in `unit`; the right-most character of a label acts on qubit 0."""

    terms: dict[str, float]
    unit: str = ""

    def document(self, **fields: Any) -> dict[str, Any]:
        """The job document, with more of its fields, such as `algorithm` or `precision`."""
        return {"kind": "minimize", "hamiltonian": self.terms, "unit": self.unit, **fields}


def from_sparse_pauli_op(operator: Any, unit: str = "") -> Hamiltonian:
    """A Qiskit `SparsePauliOp`, whose labels are ordered as Quire's are.

    Raises:
        ValueError: if a coefficient is not real, so that it is no observable.
    """
    terms: dict[str, complex] = {}
    for label, coefficient in operator.to_list():
        terms[label] = terms.get(label, 0.0) + complex(coefficient)
    return Hamiltonian(_real(terms), unit)


def from_qubit_operator(operator: Any, qubits: int | None = None, unit: str = "") -> Hamiltonian:
    """An OpenFermion `QubitOperator`: its factors (qubit, letter) become labels of as many characters as qubits.

    Raises:
        ValueError: if a coefficient is not real, or a factor acts beyond `qubits`; by default there are as many as
            factors act on.
    """
    used = 1 + max((qubit for factors in operator.terms for qubit, _ in factors), default=0)
    width = qubits or used
    if used > width:
        raise ValueError(f"a factor acts on qubit {used - 1}, and there are {width} qubits")
    terms = {}
    for factors, coefficient in operator.terms.items():
        letters = dict(factors)
        terms["".join(letters.get(qubit, "I") for qubit in reversed(range(width)))] = complex(coefficient)
    return Hamiltonian(_real(terms), unit)


def _real(terms: dict[str, complex]) -> dict[str, float]:
    largest = max(map(abs, terms.values()), default=0.0)
    for label, coefficient in terms.items():
        if abs(coefficient.imag) > _IMAGINARY * largest:
            raise ValueError(f"the coefficient of {label} is {coefficient}: an observable's are real")
    return {label: coefficient.real for label, coefficient in terms.items()}
