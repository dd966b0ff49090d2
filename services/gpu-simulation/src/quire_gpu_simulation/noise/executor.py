"""The executor of a target `simulation:NAME`: batches under the noise of one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from quire_contracts.value import Execution
from quire_gpu_simulation.drawing import drawn, in_members
from quire_gpu_simulation.noise import density, trajectories
from quire_gpu_simulation.noise.channels import noisy
from quire_gpu_simulation.slicing import cuts
from quire_plane import admit
from quire_plane.sampling import read_out
from quire_quantum.executor import Capabilities, MemberOutcome, Outcome, row_generator
from quire_quantum.folding import gates_of, reached_by
from quire_quantum.observables import final_measurements, group, with_measurements
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_contracts.value import Observable
    from quire_gpu_simulation.budget import MemoryBudget
    from quire_gpu_simulation.drawing import Pairs
    from quire_gpu_simulation.noise.model import NoiseModel
    from quire_quantum.executor import Work
    from quire_quantum.structure import Structure
    from quire_resilience.clock import Clock

WIDEST_SAMPLED_DENSITY: Final = 8
WIDEST_DENSITY: Final = 10
WIDEST: Final = 20
_ROW_STATES: Final = 4
"""Density matrices of a row that are there at the same time."""

_SLICE_AMPLITUDES: Final = 1 << 20
"""Of a slice of the batch: 16 MiB, near the last-level cache."""

_WORD_BITS: Final = 64


class NoisyExecutor:
    """Runs batches under a noise model; see `quire_quantum.executor.Executor`.

    Up to 8 qubits, and exact values up to 10, come from density matrices; wider circuits are sampled by trajectories.
    An exact value is what endless shots would give: basis turns are gates and have their noise, reading has its errors.
    Counts of row r of circuit c of a member come from the stream of (its seed, r, c). Thread-safe.
    """

    def __init__(self, target: str, model: NoiseModel, budget: MemoryBudget, clock: Clock) -> None:
        self._target = target
        self._model = model
        self._budget = budget
        self._clock = clock

    def capabilities(self) -> Capabilities:
        """A noisy simulator, still with exact values; nothing in the middle of a circuit."""
        return Capabilities(target=self._target, max_qubits=WIDEST, exact=True, mid_circuit=False, folds=True)

    def execute(self, work: Work) -> Outcome:
        """Run the batch; see the port.

        Raises:
            Permanent: kind `invalid`, code `unsupported-...`, when this simulator cannot take the work.
        """
        admit(work, self.capabilities())
        started_at, began = self._clock.now(), self._clock.monotonic()
        qubits = work.structure.num_qubits
        by_density = qubits <= (WIDEST_DENSITY if work.shots is None else WIDEST_SAMPLED_DENSITY)
        self._check(work, by_density=by_density)
        circuits = self._circuits(work)
        row_bytes = _ROW_STATES * 16 * 4**qubits
        least = row_bytes if by_density else max(trajectories.BYTES, 6 * 16 << qubits)
        most = max(least, _ROW_STATES * 16 * _SLICE_AMPLITUDES) if by_density else least
        with self._budget.lease(least, most) as memory:
            at_once = max(1, memory // row_bytes) if by_density else 1
            if work.shots is None:
                members = self._exact(work, circuits, at_once)
            elif by_density:
                members = drawn(work, circuits, at_once, lambda index, rows: self._probabilities(circuits[index], rows))
            else:
                members = in_members(work, self._by_trajectory(work, circuits), circuits[0].num_bits)
        execution = Execution(
            target=self._target,
            provider="quire",
            backend="quire-density-matrix" if by_density else "quire-trajectories",
            region="local",
            calibration_id="none",
            circuit_sha256=work.structure.sha256,
            shots=work.shots,
            parameter_sets=work.rows,
            started_at=started_at,
            queue_seconds=0.0,
            compile_seconds=0.0,
            execute_seconds=self._clock.monotonic() - began,
            simulator=True,
            provider_metadata={
                "device": "cpu",
                "engine": "quire",
                "method": "density_matrix" if by_density else "trajectories",
                "precision": "double",
                "why": f"{qubits} qubits, {'exact' if work.shots is None else 'sampled'}",
                "noise": self._model.description,
                "circuits": len(circuits),
            },
        )
        scales = reached_by([gates_of(circuit) for circuit in work.circuits()], work.scales) if work.scales else ()
        return Outcome(members, execution, scales=scales)

    def _check(self, work: Work, *, by_density: bool) -> None:
        qubits = work.structure.num_qubits
        bits = qubits if work.observables else work.structure.num_bits
        if work.shots is None and not by_density:
            raise Permanent(
                "unsupported-exact",
                f"{self._target} has exact values up to {WIDEST_DENSITY} qubits, the circuit has {qubits}",
                next_step="Ask for a precision above 0, or choose a smaller circuit.",
            )
        if bits > _WORD_BITS:
            raise Permanent(
                "unsupported-bits",
                f"{self._target} reads up to {_WORD_BITS} bits, the circuit has {bits}",
                next_step="Declare fewer classical bits.",
            )

    def _circuits(self, work: Work) -> tuple[Structure, ...]:
        if work.shots is not None:
            return work.folded_circuits()
        return tuple(with_measurements(work.structure, basis) for basis in group(work.observables).bases)

    def _probabilities(self, circuit: Structure, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return density.probabilities(noisy(circuit, self._model), parameters)

    def _exact(self, work: Work, circuits: tuple[Structure, ...], at_once: int) -> tuple[MemberOutcome, ...]:
        signs = [_signs(observable, work.observables, work.structure.num_qubits) for observable in work.observables]
        outcomes = []
        for member in work.members:
            values = np.zeros((len(member.parameters), len(work.observables)))
            for index, circuit in enumerate(circuits):
                for cut in cuts(len(member.parameters), at_once):
                    # einsum, not a product of matrices: a row's sum must not depend on the rows beside it.
                    found = self._probabilities(circuit, member.parameters[cut])
                    for column, sign in enumerate(signs):
                        values[cut, column] += np.einsum("rx,x->r", found, sign[index])
            outcomes.append(MemberOutcome(values=values))
        return tuple(outcomes)

    def _by_trajectory(self, work: Work, circuits: tuple[Structure, ...]) -> list[list[Pairs]]:
        made = [noisy(circuit, self._model) for circuit in circuits]
        measured = [final_measurements(circuit) for circuit in circuits]
        table: list[list[Pairs]] = []
        for member in work.members:
            for row, parameters in zip(member.places, member.parameters, strict=True):
                pairs = []
                for index, each in enumerate(made):
                    stream = row_generator(member.seed, row, index)
                    states, tallies = trajectories.sample(each, parameters, work.shots or 0, stream)
                    pairs.append((read_out(states, measured[index]), tallies))
                table.append(pairs)
        return table


def _signs(observable: Observable, observables: tuple[Observable, ...], qubits: int) -> NDArray[np.float64]:
    """What a basis state counts for an observable in each group's circuit, float64 [groups, 2**qubits]."""
    grouping, states = group(observables), np.arange(1 << qubits)
    made = np.zeros((len(grouping.bases), len(states)))
    for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
        support = sum(1 << qubit for qubit, pauli in enumerate(reversed(label)) if pauli != "I")
        made[grouping.group_of[label]] += coefficient * (1.0 - 2.0 * (np.bitwise_count(states & support) & 1))
    return made
