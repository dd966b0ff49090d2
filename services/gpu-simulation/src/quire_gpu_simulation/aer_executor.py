"""Batches on Aer: a whole sweep in one call of the simulator, each row sampled from a stream of its own."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_contracts.value import Execution
from quire_gpu_simulation.chooser import choose
from quire_gpu_simulation.drawing import drawn
from quire_gpu_simulation.facts import facts_of
from quire_gpu_simulation.slicing import cuts, member_rows, room
from quire_plane import admit
from quire_plane.compile_cache import CompileCache, CompileKey
from quire_quantum.counts import pack
from quire_quantum.executor import Capabilities, MemberOutcome, Outcome, row_seed
from quire_quantum.observables import without_final_measurements
from quire_quantum.qiskit_home import settle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_gpu_simulation.aer_runs import AerRuns, Compiled, Method
    from quire_gpu_simulation.chooser import Choice
    from quire_gpu_simulation.limits import Limits
    from quire_quantum.counts import PackedCounts
    from quire_quantum.executor import Member, Work
    from quire_quantum.structure import Structure
    from quire_resilience.clock import Clock

TARGET: Final = "simulation"


class AerExecutor:
    """Runs batches on Aer; see `quire_quantum.executor.Executor`. One batch at a time, more wait.

    The method (state vector, density matrix, stabilizer, matrix product state) is chosen by `chooser.choose`, or by
    whoever calls `run`. All members' parameter sets are bound in one call (in as few as the memory allows). Counts of
    place r in a task by circuit c come from the stream of (the seed, r, c), so neither its mates nor the slicing change
    them. Circuits that measure or reset on the way, outcomes of more than 64 bits and states that are no list of
    amplitudes are sampled by Aer itself, a seeded member in a run of its own.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        """Aer is imported with the first batch."""
        self._limits = limits
        self._clock = clock
        self._runs: AerRuns | None = None
        self._turn = Lock()
        self._compiled: CompileCache[Compiled] = CompileCache(limits.compiled_circuits)

    def capabilities(self) -> Capabilities:
        """A simulator with exact values; what a circuit of so many qubits may look like is the chooser's to say."""
        qubits = max(self._limits.max_qubits, self._limits.max_wide_qubits)
        return Capabilities(target=TARGET, max_qubits=qubits, exact=True, noisy=False)

    def execute(self, work: Work) -> Outcome:
        """Run the batch; see the port.

        Raises:
            Permanent: kind `invalid`, code `unsupported-...`, when this plane cannot take the work.
        """
        admit(work, self.capabilities())
        facts = facts_of(work.structure, work.shots, observed=bool(work.observables))
        choice = choose(facts, work.shots, self._limits.powers(engine=False))
        return self.run(work, choice, self._limits.memory_bytes)

    def run(self, work: Work, choice: Choice, memory_bytes: int) -> Outcome:
        """Run admitted work by a method that was chosen for it, within so much memory."""
        with self._turn:
            return self._run(work, choice, memory_bytes)

    def probabilities(self, structure: Structure, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of the basis states before the final measurements, float64 [rows, 2**qubits]."""
        with self._turn:
            runs = self._open()
            compiled, _ = self._compile(runs, without_final_measurements(structure))
            return np.stack(runs.probabilities(compiled, parameters))

    def close(self) -> None:
        """Give the simulator's thread back."""
        if self._runs is not None:
            self._runs.close()

    def _run(self, work: Work, choice: Choice, memory_bytes: int) -> Outcome:
        started_at, began = self._clock.now(), self._clock.monotonic()
        runs = self._open()
        from quire_gpu_simulation.aer_runs import Method  # noqa: PLC0415 - as in `_open`, and after it

        method = Method.of(choice, self._limits.mps_bond)
        runs.discarded = 0.0
        facts = facts_of(work.structure, work.shots, observed=bool(work.observables))
        by_shots = work.shots is not None and (
            facts.on_the_way or facts.wide_bits or choice.method in ("stabilizer", "matrix_product_state")
        )
        circuits = work.circuits() if work.shots is not None else (work.structure,)
        heads = circuits if by_shots else tuple(without_final_measurements(each) for each in circuits)
        found = [self._compile(runs, head, method) for head in heads]
        compiled = [each for each, _ in found]
        ready = self._clock.monotonic()
        if work.shots is None:
            members = _exact(runs, compiled[0], work, method, memory_bytes)
        elif by_shots:
            members = _sampled_by_aer(runs, compiled, work, method)
        else:
            members = _sampled(runs, compiled, circuits, work, memory_bytes)
        execution = Execution(
            target=TARGET,
            provider="quire",
            backend=f"aer-{choice.method.replace('_', '-')}",
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
            transpiler={"optimization_level": 0 if choice.method == "stabilizer" else 1},
            provider_metadata={
                "device": "cpu",
                "engine": "aer",
                "method": choice.method,
                "precision": "double",
                "why": choice.reason,
                "simulator_version": runs.version,
                "threads": runs.threads,
                "circuits": len(compiled),
                **({"mps_bond": method.bond, "mps_discarded_weight": runs.discarded} if choice.truncates else {}),
            },
        )
        return Outcome(members, execution)

    def _open(self) -> AerRuns:
        if self._runs is None:
            settle()
            from quire_gpu_simulation.aer_runs import AerRuns  # noqa: PLC0415 - 2 s that a start need not wait for

            self._runs = AerRuns(self._limits.threads)
        return self._runs

    def _compile(self, runs: AerRuns, structure: Structure, method: Method | None = None) -> tuple[Compiled, bool]:
        stabilizer = method is not None and method.name == "stabilizer"
        key = CompileKey(structure.sha256, TARGET, "level=0" if stabilizer else "level=1", "none")
        return self._compiled.get(key, lambda: runs.compile(structure, *([method] if method else [])))


def _sampled(
    runs: AerRuns, compiled: list[Compiled], circuits: tuple[Structure, ...], work: Work, memory_bytes: int
) -> tuple[MemberOutcome, ...]:
    """Counts of circuits that measure at their end alone, each row from its probabilities by its own stream."""
    fits = room(work.structure.num_qubits, memory_bytes, runs.threads, keeps_probabilities=True)
    return drawn(
        work,
        circuits,
        fits.rows,
        lambda index, parameters: runs.probabilities(compiled[index], parameters, fits.threads),
    )


def _exact(
    runs: AerRuns, compiled: Compiled, work: Work, method: Method, memory_bytes: int
) -> tuple[MemberOutcome, ...]:
    together = np.concatenate([member.parameters for member in work.members])
    fits = room(work.structure.num_qubits, memory_bytes, runs.threads, keeps_probabilities=False)
    parts = [
        runs.expectations(compiled, work.observables, together[cut], method, fits.threads)
        for cut in cuts(len(together), fits.rows)
    ]
    values = np.array([row for part in parts for row in part]).reshape(-1, len(work.observables))
    return tuple(MemberOutcome(values=values[cut]) for cut in member_rows(work.members))


def _sampled_by_aer(runs: AerRuns, compiled: list[Compiled], work: Work, method: Method) -> tuple[MemberOutcome, ...]:
    """Counts that Aer draws itself; no two members share a run."""
    return tuple(MemberOutcome(counts=_counts_of(runs, compiled, member, work, method)) for member in work.members)


def _counts_of(runs: AerRuns, compiled: list[Compiled], member: Member, work: Work, method: Method) -> PackedCounts:
    bits, shots = compiled[0].circuit.num_clbits, work.shots or 0
    if not len(member.parameters):
        return pack([], bits=bits)
    by_circuit = [
        runs.counts(each, member.parameters, shots, row_seed(member.seed, 0, index), method, first=member.first)
        for index, each in enumerate(compiled)
    ]
    rows = [row for each in zip(*by_circuit, strict=True) for row in each]
    texts = [{format(int(outcome, 16), f"0{bits}b"): tally for outcome, tally in row.items()} for row in rows]
    return pack(texts, bits=bits)
