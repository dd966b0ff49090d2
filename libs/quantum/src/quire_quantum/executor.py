"""The executor port: what every way to run a batch, real or fake, takes and gives.

Laws, kept by `quire_testing.executor_suite`:

- Without observables each parameter set is one circuit, and counts run over the structure's classical bits.
- With observables and shots each parameter set is measured once for every group of `observables.group`; counts run
  over the qubits (bit i is qubit i) and rows are row-major over [parameter set, group].
- With observables and no shots the answer is exact values, no counts.
- With observables and shots a member whose work is `reduced` may be answered by values and their standard errors (as
  `observables.expectation` works them out) instead of counts; without `reduced` it is answered by counts.
- Work with `scales` runs each circuit once for each of them, its gates folded (`folding`), rows row-major over
  [parameter set, scale, group]; only executors with `Capabilities.folds` are given it.
- Work with `places` runs on these qubits of the device and is compiled for nothing else; only with `places`.
- Counts depend on (structure, parameters, shots, seed, row in the task) alone: never on the rest of the batch, nor on
  where a task was cut into members.
- A batch succeeds or fails as a whole: partial answers are not returned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from quire_quantum.folding import folded
from quire_quantum.observables import group, with_measurements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_contracts.mitigation import Mitigation
    from quire_contracts.value import Execution, Fault, Observable
    from quire_quantum.counts import PackedCounts
    from quire_quantum.structure import Structure


class WorkError(ValueError):
    """Work that no executor can do: shapes that do not fit, or neither shots nor observables."""


@dataclass(frozen=True, eq=False)
class Member:
    """One task's share of a batch.

    `parameters` is float64 [rows, structure.num_parameters] in radians; `seed` makes its counts repeatable, None leaves
    them random. `first` is the place of its first row in its task: the counts of a row are drawn by its place there.
    `fresh` says that it is to be run, whoever has run the same before.
    """

    parameters: NDArray[np.float64]
    seed: int | None = None
    first: int = 0
    fresh: bool = False

    @property
    def places(self) -> range:
        """The places of its rows in their task."""
        return range(self.first, self.first + len(self.parameters))


@dataclass(frozen=True, eq=False)
class Work:
    """A batch: one structure, many parameter sets. `shots` is per circuit; None asks for exact values.

    `reduced` says that nobody needs the counts behind the observables' values: an executor may keep them to itself.
    `mitigation` is what is to be done about noise; of it an executor needs the `scales` alone. `places` are the qubits
    of the device that the structure's are put on, in order; none leaves it to the compiler.

    Raises:
        WorkError: when a member's matrix does not fit the structure, a number is not finite, shots are not positive,
            there is no member, or neither shots nor observables are given.
    """

    structure: Structure
    members: tuple[Member, ...]
    shots: int | None
    observables: tuple[Observable, ...] = ()
    reduced: bool = False
    mitigation: Mitigation | None = None
    places: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes once, so that no executor has to."""
        columns = self.structure.num_parameters
        for member in self.members:
            if member.parameters.ndim != 2 or member.parameters.shape[1] != columns:  # noqa: PLR2004
                raise WorkError(f"parameters of shape {member.parameters.shape} do not fit [rows, {columns}]")
            if not np.isfinite(member.parameters).all():
                raise WorkError("a parameter is not finite")
        if not self.members:
            raise WorkError("a batch needs at least one member")
        if self.shots is None and not self.observables:
            raise WorkError("exact values need observables; counts need shots")
        if self.shots is not None and self.shots < 1:
            raise WorkError(f"shots must be positive, not {self.shots}")

    @property
    def rows(self) -> int:
        """Parameter sets of all members together."""
        return sum(len(member.parameters) for member in self.members)

    @property
    def scales(self) -> tuple[float, ...]:
        """By which the circuits' noise is multiplied, one run for each; none runs them once, as they are."""
        zne = self.mitigation.zne if self.mitigation is not None else None
        return zne.scale_factors if zne is not None else ()

    def circuits(self) -> tuple[Structure, ...]:
        """The structures to run for each parameter set when there are shots, in the order of the groups.

        Raises:
            ObservableError: when the circuit cannot carry the observables.
        """
        if not self.observables:
            return (self.structure,)
        return tuple(with_measurements(self.structure, basis) for basis in group(self.observables).bases)

    def folded_circuits(self) -> tuple[Structure, ...]:
        """`circuits`, those of each scale after those of the one before; for executors that run gates as they stand.

        Others fold what their compiler made of the circuits: it would take the pairs out, and choose other qubits.
        """
        return tuple(folded(circuit, scale) for scale in self.scales or (1.0,) for circuit in self.circuits())


@dataclass(frozen=True, eq=False)
class MemberOutcome:
    """A member's share of the answer: packed counts, or values float64 [rows, observables], or why it has none.

    `std_errors` has the shape of `values` where those were estimated from shots, and is None where they are exact.
    """

    counts: PackedCounts | None = None
    values: NDArray[np.float64] | None = None
    std_errors: NDArray[np.float64] | None = None
    fault: Fault | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """A batch's answer: one `MemberOutcome` for each member, in order, and where and how it ran.

    `read_from` says for each of the work's circuits which qubit of the device each bit was read from, -1 for none; from
    executors with `Capabilities.places`. `scales` are those of the work as folding has reached them (whole gates are
    folded), the mean of its circuits; none where that is not said.
    """

    members: tuple[MemberOutcome, ...]
    execution: Execution
    read_from: tuple[tuple[int, ...], ...] = ()
    scales: tuple[float, ...] = ()


@dataclass(frozen=True)
class Capabilities:
    """What an executor can take. `exact` says that it answers work without shots; None means no limit.

    `noisy` says whether there is anything to mitigate. `folds`: it takes work with `scales`, `places`: with `places`.
    """

    target: str
    max_qubits: int
    exact: bool
    simulator: bool = True
    max_shots: int | None = None
    max_rows: int | None = None
    mid_circuit: bool = True
    noisy: bool = True
    folds: bool = False
    places: bool = False


class Executor(Protocol):
    """Runs one batch at a time and blocks; callers bring the threads."""

    def capabilities(self) -> Capabilities:
        """What can be given to `execute`."""
        ...

    def execute(self, work: Work) -> Outcome:
        """Run a batch.

        Raises:
            Permanent: the work can never succeed here.
            Transient: the same work may succeed later.
        """
        ...


def row_generator(seed: int | None, row: int, group_index: int) -> np.random.Generator:
    """The random stream of one circuit run, independent of the streams of its neighbours (NumPy SeedSequence keys)."""
    return np.random.default_rng(None if seed is None else np.random.SeedSequence((seed, row, group_index)))


def row_seed(seed: int | None, row: int, group_index: int, bits: int = 31) -> int | None:
    """`row_generator`'s stream as an integer below 2**bits, for simulators that take a seed."""
    return None if seed is None else int(row_generator(seed, row, group_index).integers(2**bits))
