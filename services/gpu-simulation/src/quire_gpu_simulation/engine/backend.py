"""The seam between the engine and what it runs on: four questions about the states of many parameter sets.

A back end answers from the compiled form and the plans of `readout`, nothing else. A row's answer depends on its
parameters, its key and its place alone, bit for bit, whatever rows are asked for with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quire_gpu_simulation.engine.compiled import Compiled, Layer
    from quire_gpu_simulation.engine.readout import Bits, Strings, Sums

P = TypeVar("P")


@dataclass(frozen=True, eq=False)
class Sweep:
    """Rows to run: `parameters` float64 [rows, parameters], C-contiguous, in radians.

    For shots, row r of circuit c draws from the random stream of (keys[r], places[r], c): `keys` uint64 [rows, 2] is
    its member's, `places` int64 [rows] its row in the member.
    """

    parameters: NDArray[np.float64]
    keys: NDArray[np.uint64]
    places: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.parameters)


@dataclass(frozen=True, eq=False)
class Tallies:
    """Counts of rows times circuits, row-major: `lengths` int64 entries of each, then all entries after each other.

    `tallies` uint32 [entries]; `outcomes` uint8 [entries, octets] big-endian and rising in each circuit run, as in
    `quire_quantum.counts`.
    """

    lengths: NDArray[np.int64]
    tallies: NDArray[np.uint32]
    outcomes: NDArray[np.uint8]


class Backend(Protocol[P]):
    """Runs compiled structures. Thread-safe; calls block, and share the machine among them block by block."""

    @property
    def precision(self) -> str:
        """`float64` or `float32`."""
        ...

    @property
    def device(self) -> str:
        """What it runs on, for the record of an execution: `cpu`, or a card's name."""
        ...

    def close(self) -> None:
        """Give threads and memory back."""
        ...

    def prepare(self, compiled: Compiled, bases: tuple[Layer, ...]) -> P:
        """The back end's own form of a compiled structure and of the layers before its measurements; to be kept.

        `bases` has one layer for each circuit that is measured (an empty one for the computational basis).
        """
        ...

    def needed(self, prepared: P) -> int:
        """Bytes that one row takes while it runs."""
        ...

    def probabilities(self, prepared: P, bits: Bits, sweep: Sweep) -> NDArray[np.float64]:
        """Probabilities of the indices over `bits.qubits`, float64 [rows, 2^qubits], without any basis."""
        ...

    def values(self, prepared: P, strings: Strings, sweep: Sweep) -> NDArray[np.float64]:
        """Exact values, float64 [rows, observables], without any basis."""
        ...

    def counts(self, prepared: P, bits: Bits, sweep: Sweep, shots: int) -> Tallies:
        """Counts of every row in every basis."""
        ...

    def estimates(
        self, prepared: P, sums: Sums, sweep: Sweep, shots: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and standard errors of the counts that `counts` would give, float64 [rows, observables] each."""
        ...
