"""The executor of this plane: a batch's whole sweep in one simulation, each row sampled from a stream of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_contracts.value import Execution
from quire_gpu_simulation.sampling import draw, read_out
from quire_gpu_simulation.slicing import cuts, rows_at_once, widest
from quire_plane import admit
from quire_plane.admission import measures_early, resets
from quire_plane.compile_cache import CompileCache, CompileKey
from quire_quantum.counts import pack, pack_integers
from quire_quantum.executor import Capabilities, MemberOutcome, Outcome, row_generator, row_seed
from quire_quantum.observables import final_measurements, without_final_measurements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_gpu_simulation.aer_runs import AerRuns, Compiled
    from quire_quantum.executor import Work
    from quire_quantum.structure import Structure
    from quire_resilience.clock import Clock

TARGET: Final = "simulation"
_WORD_BITS: Final = 64
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the machine a simulation may take; threads 0 is one for each core."""

    max_qubits: int = 24
    memory_mib: int = 1024
    threads: int = 1
    compiled_circuits: int = 256


class AerExecutor:
    """Runs batches on Aer's state vector; see `quire_quantum.executor.Executor`.

    All members' parameter sets are bound in one call (in as few as the memory allows). Counts of row r of circuit c of
    a member come from the stream of (its seed, r, c), so neither its mates nor the slicing change them. Circuits that
    measure or reset on the way are sampled by Aer shot by shot, a seeded member in a run of its own.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        """Aer is imported with the first batch."""
        self._limits = limits
        self._clock = clock
        self._runs: AerRuns | None = None
        self._compiled: CompileCache[Compiled] = CompileCache(limits.compiled_circuits)

    def capabilities(self) -> Capabilities:
        """A simulator with exact values, as wide as its memory."""
        qubits = min(self._limits.max_qubits, widest(self._limits.memory_mib * _MIB))
        return Capabilities(target=TARGET, max_qubits=qubits, exact=True)

    def execute(self, work: Work) -> Outcome:
        """Run the batch; see the port.

        Raises:
            Permanent: kind `invalid`, code `unsupported-...`, when this plane cannot take the work.
        """
        admit(work, self.capabilities())
        started_at, began = self._clock.now(), self._clock.monotonic()
        runs = self._open()
        circuits = work.circuits() if work.shots is not None else (work.structure,)
        on_the_way = work.shots is not None and any(measures_early(each) or resets(each) for each in circuits)
        by_shots = on_the_way or (work.shots is not None and circuits[0].num_bits > _WORD_BITS)
        heads = circuits if by_shots else tuple(without_final_measurements(each) for each in circuits)
        found = [self._compile(runs, head) for head in heads]
        compiled = [each for each, _ in found]
        ready = self._clock.monotonic()
        if work.shots is None:
            members = self._exact(runs, compiled[0], work)
        elif by_shots:
            members = _sampled_by_aer(runs, compiled, work)
        else:
            members = self._sampled(runs, compiled, circuits, work)
        execution = Execution(
            target=TARGET,
            provider="quire",
            backend="aer-statevector",
            region="local",
            calibration_id="none",
            circuit_sha256=work.structure.sha256,
            shots=work.shots,
            parameter_sets=work.rows,
            started_at=started_at,
            queue_seconds=0.0,
            compile_seconds=ready - began,
            execute_seconds=self._clock.monotonic() - ready,
            simulator=True,
            compile_cached=all(cached for _, cached in found),
            compiled_depth=max(each.depth for each in compiled),
            two_qubit_gates=max(each.two_qubit_gates for each in compiled),
            transpiler={"optimization_level": 1},
            provider_metadata={
                "device": "cpu",
                "simulator_version": runs.version,
                "threads": runs.threads,
                "circuits": len(compiled),
            },
        )
        return Outcome(members, execution)

    def close(self) -> None:
        """Give the simulator's thread back."""
        if self._runs is not None:
            self._runs.close()

    def _open(self) -> AerRuns:
        if self._runs is None:
            from quire_gpu_simulation.aer_runs import AerRuns  # noqa: PLC0415 - 2 s that a start need not wait for

            self._runs = AerRuns(self._limits.threads)
        return self._runs

    def _compile(self, runs: AerRuns, structure: Structure) -> tuple[Compiled, bool]:
        key = CompileKey(structure.sha256, TARGET, "level=1", "none")
        return self._compiled.get(key, lambda: runs.compile(structure))

    def _sampled(
        self, runs: AerRuns, compiled: list[Compiled], circuits: tuple[Structure, ...], work: Work
    ) -> tuple[MemberOutcome, ...]:
        shots, bits = work.shots or 0, circuits[0].num_bits
        together = np.concatenate([member.parameters for member in work.members])
        owners = [(member.seed, row) for member in work.members for row in range(len(member.parameters))]
        at_once = self._rows_at_once(runs, work, keeps_probabilities=True)
        table: list[list[tuple[NDArray[np.uint64], NDArray[np.int64]]]] = [[] for _ in owners]
        for index, (each, circuit) in enumerate(zip(compiled, circuits, strict=True)):
            measured = final_measurements(circuit)
            for cut in cuts(len(together), at_once):
                rows = range(cut.start, cut.stop)
                for row, probabilities in zip(rows, runs.probabilities(each, together[cut]), strict=True):
                    seed, place = owners[row]
                    states, tallies = draw(probabilities, shots, row_generator(seed, place, index))
                    table[row].append((read_out(states, measured), tallies))
        return tuple(
            MemberOutcome(counts=pack_integers([pair for row in table[cut] for pair in row], bits=bits))
            for cut in _member_cuts(work)
        )

    def _exact(self, runs: AerRuns, compiled: Compiled, work: Work) -> tuple[MemberOutcome, ...]:
        together = np.concatenate([member.parameters for member in work.members])
        at_once = self._rows_at_once(runs, work, keeps_probabilities=False)
        parts = [runs.expectations(compiled, work.observables, together[cut]) for cut in cuts(len(together), at_once)]
        values = np.array([row for part in parts for row in part]).reshape(-1, len(work.observables))
        return tuple(MemberOutcome(values=values[cut]) for cut in _member_cuts(work))

    def _rows_at_once(self, runs: AerRuns, work: Work, *, keeps_probabilities: bool) -> int:
        memory = self._limits.memory_mib * _MIB
        return rows_at_once(work.structure.num_qubits, memory, runs.threads, keeps_probabilities=keeps_probabilities)


def _sampled_by_aer(runs: AerRuns, compiled: list[Compiled], work: Work) -> tuple[MemberOutcome, ...]:
    """Counts of circuits that only Aer can follow shot by shot; no two members share a run."""
    outcomes, bits = [], compiled[0].circuit.num_clbits
    for member in work.members:
        by_circuit = [
            runs.counts(each, member.parameters, work.shots or 0, row_seed(member.seed, 0, index))
            for index, each in enumerate(compiled)
        ]
        rows = [row for each in zip(*by_circuit, strict=True) for row in each]
        texts = [{format(int(outcome, 16), f"0{bits}b"): tally for outcome, tally in row.items()} for row in rows]
        outcomes.append(MemberOutcome(counts=pack(texts, bits=bits)))
    return tuple(outcomes)


def _member_cuts(work: Work) -> list[slice]:
    """The rows of each member in the batch's rows."""
    ends = np.cumsum([len(member.parameters) for member in work.members]).tolist()
    return [slice(end - len(member.parameters), end) for end, member in zip(ends, work.members, strict=True)]
