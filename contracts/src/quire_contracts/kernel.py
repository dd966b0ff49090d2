"""What a kernel job encodes its points with, and how its circuits fill its matrix."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from quire_contracts import limits
from quire_contracts.value import Program, Strict, Value

Point = Annotated[tuple[float, ...], Meta(min_length=1, max_length=limits.FEATURES)]
Points = Annotated[tuple[Point, ...], Meta(max_length=limits.POINTS, description="One row of features for each point.")]
Repetitions = Annotated[int, Meta(ge=1, le=limits.FEATURE_MAP_REPETITIONS)]
Entanglement = Literal["full", "linear", "reverse_linear", "circular"]
PauliString = Annotated[str, Meta(pattern=r"^[XYZ]{1,4}\Z")]


class ZMap(Strict, frozen=True, tag_field="name", tag="z"):
    """Qiskit's `z_feature_map`: in each repetition h and p(alpha x_i) on every qubit i."""

    repetitions: Repetitions = 2
    alpha: float = 2.0


class ZZMap(Strict, frozen=True, tag_field="name", tag="zz"):
    """Qiskit's `zz_feature_map`: as `z`, then p(alpha (pi - x_i)(pi - x_j)) on the parity of each pair of qubits."""

    repetitions: Repetitions = 2
    entanglement: Entanglement = "full"
    alpha: float = 2.0


class PauliMap(Strict, frozen=True, tag_field="name", tag="pauli"):
    """Qiskit's `pauli_feature_map`: in each repetition h on every qubit, then evolutions by Pauli strings.

    There is one for each string and each group of as many qubits. The right-most letter acts on a group's first qubit.
    A lone qubit's angle is alpha x_i, a larger group's alpha times the product of its (pi - x_j).
    """

    paulis: Annotated[tuple[PauliString, ...], Meta(min_length=1, max_length=16)] = ("Z", "ZZ")
    repetitions: Repetitions = 2
    entanglement: Entanglement = "full"
    alpha: float = 2.0


class ProgramMap(Strict, frozen=True, tag_field="name", tag="program"):
    """Any program whose inputs are the features, in the order in which it declares them; it measures nothing."""

    program: Program


FeatureMap = ZMap | ZZMap | PauliMap | ProgramMap


class Features(Strict, frozen=True):
    """Which features are encoded, and how they are scaled: both follow from a job's `points` alone.

    `columns` are taken in this order, by default all; of them the `most_varied` many of the largest variance stay, in
    the same order (of equal ones the first). `minmax` brings each feature of the points to `low` up to `high`;
    `standard` to mean 0 and variance 1. A feature that does not vary goes to `low`, or to 0.
    """

    columns: Annotated[
        tuple[Annotated[int, Meta(ge=0, lt=limits.FEATURES)], ...], Meta(max_length=limits.FEATURES)
    ] = ()
    most_varied: Annotated[int, Meta(ge=1, le=limits.FEATURES)] | None = None
    scaling: Literal["none", "minmax", "standard"] = "none"
    low: float = 0.0
    high: float = 1.0


class Gram(Value, frozen=True):
    """How a task's parameter sets fill a matrix of shape [rows, columns], row by row.

    A symmetric matrix has one for each entry above its diagonal, which is 1 and is not run; any other has one for each
    entry. `enforce_psd` asks for the nearest positive semidefinite matrix.
    """

    rows: Annotated[int, Meta(ge=1)]
    columns: Annotated[int, Meta(ge=1)]
    symmetric: bool = False
    enforce_psd: bool = False

    @property
    def sets(self) -> int:
        """How many parameter sets there are."""
        return self.rows * (self.rows - 1) // 2 if self.symmetric else self.rows * self.columns
