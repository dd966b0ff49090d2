"""The engine behind the executor port: work compiled once for its structure, all members' rows in one sweep."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from quire_contracts.value import Execution
from quire_gpu_simulation.engine import BACKEND
from quire_gpu_simulation.engine.backend import Sweep
from quire_gpu_simulation.engine.compiled import Layer
from quire_gpu_simulation.engine.fusion import compile_structure
from quire_gpu_simulation.engine.readout import all_qubits, bases, measured, strings, sums
from quire_gpu_simulation.slicing import member_rows
from quire_plane import admit
from quire_plane.admission import measures_early, resets
from quire_plane.compile_cache import CompileCache, CompileKey
from quire_quantum.counts import PackedCounts
from quire_quantum.executor import Capabilities, MemberOutcome, Outcome
from quire_quantum.observables import final_measurements, without_final_measurements

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from quire_gpu_simulation.engine.backend import Backend, Tallies
    from quire_gpu_simulation.engine.compiled import Compiled
    from quire_gpu_simulation.engine.readout import Bits, Strings, Sums
    from quire_quantum.executor import Member, Work
    from quire_quantum.structure import Structure
    from quire_resilience.clock import Clock

TARGET: Final = "simulation"
_VERSION: Final = version("quire-gpu-simulation")
_WORD_BITS: Final = 64
_KEY_BYTES: Final = 16
_PRECISIONS: Final = {"float64": "double", "float32": "single"}


@dataclass(frozen=True, eq=False)
class Plan:
    """A structure compiled for one kind of question; the readouts that the question does not need are None."""

    compiled: Compiled
    prepared: Any
    circuits: int
    two_qubit_gates: int
    bits: Bits
    strings: Strings | None = None
    sums: Sums | None = None


class EngineExecutor:
    """Runs batches as one sweep; see `quire_quantum.executor.Executor`. Thread-safe.

    A row's counts come from a random stream of (its member's seed, its place in the task, the circuit): neither mates
    nor slicing nor threads change them, and every value is worked out for its row alone.
    """

    def __init__(
        self, backend: Backend[Any], clock: Clock, *, max_qubits: int = 24, compiled_circuits: int = 256
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._max_qubits = max_qubits
        self._plans: CompileCache[Plan] = CompileCache(compiled_circuits)

    @property
    def precision(self) -> str:
        """`double` or `single`."""
        return _PRECISIONS[self._backend.precision]

    def capabilities(self) -> Capabilities:
        """A simulator with exact values, of circuits that measure at their end only."""
        return Capabilities(target=TARGET, max_qubits=self._max_qubits, exact=True, mid_circuit=False, noisy=False)

    def supports(self, structure: Structure) -> bool:
        """Whether the structure has a single state vector of a width that is allowed, and outcomes of one word."""
        fits = structure.num_qubits <= self._max_qubits and structure.num_bits <= _WORD_BITS
        return fits and not measures_early(structure) and not resets(structure)

    def execute(self, work: Work) -> Outcome:
        """Run the batch; see the port.

        Raises:
            Permanent: kind `invalid`, code `unsupported-...`, when `supports` says no.
        """
        started_at, began = self._clock.now(), self._clock.monotonic()
        plan, cached = self._plan(work)
        ready = self._clock.monotonic()
        sweep = _sweep(work.members)
        if plan.strings is not None:
            answers = _shared(work.members, self._backend.values(plan.prepared, plan.strings, sweep), None)
        elif plan.sums is not None:
            found = self._backend.estimates(plan.prepared, plan.sums, sweep, work.shots or 0)
            answers = _shared(work.members, *found)
        else:
            tallies = self._backend.counts(plan.prepared, plan.bits, sweep, work.shots or 0)
            answers = _packed(work.members, tallies, plan)
        execution = Execution(
            target=TARGET,
            provider="quire",
            backend=BACKEND,
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
            compile_cached=cached,
            compiled_depth=len(plan.compiled.passes) + 1,
            two_qubit_gates=plan.two_qubit_gates,
            transpiler={"passes": len(plan.compiled.passes) + 1},
            provider_metadata={
                "device": self._backend.device,
                "engine": "quire",
                "method": "engine",
                "precision": self.precision,
                "simulator_version": _VERSION,
                "circuits": plan.circuits,
            },
        )
        return Outcome(answers, execution)

    def probabilities(self, structure: Structure, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of the basis states before the final measurements, float64 [rows, 2**qubits]."""
        plan, _ = self._kept(structure, "probabilities", lambda: self._plain(structure))
        return self._backend.probabilities(plan.prepared, plan.bits, _unseeded(parameters))

    def close(self) -> None:
        """Give the back end's threads back."""
        self._backend.close()

    def _plan(self, work: Work) -> tuple[Plan, bool]:
        """The work's plan; what admits it follows from the structure and the question, as the plan does."""
        if not work.observables:
            return self._kept(work.structure, "counts", lambda: self._counted(work))
        if work.shots is None:
            kind, make = "exact", self._exact
        else:
            kind, make = ("reduced", self._reduced) if work.reduced else ("observed", self._observed)
        digest = hashlib.blake2b(msgspec.msgpack.encode(work.observables), digest_size=_KEY_BYTES).hexdigest()
        return self._kept(work.structure, f"{kind}={digest}", lambda: make(work))

    def _kept(self, structure: Structure, settings: str, make: Callable[[], Plan]) -> tuple[Plan, bool]:
        return self._plans.get(CompileKey(structure.sha256, BACKEND, settings, "none"), make)

    def _make(
        self,
        structure: Structure,
        bits: Bits,
        before: tuple[Layer, ...],
        strings: Strings | None = None,
        sums: Sums | None = None,
    ) -> Plan:
        compiled = compile_structure(without_final_measurements(structure))
        pairs = sum(len(each.qubits) == 2 and each.name != "barrier" for each in structure.operations)  # noqa: PLR2004
        prepared = self._backend.prepare(compiled, before)
        return Plan(compiled, prepared, max(1, len(before)), pairs, bits, strings, sums)

    def _counted(self, work: Work) -> Plan:
        admit(work, self.capabilities())
        structure = work.structure
        bits = measured(final_measurements(structure), structure.num_bits, structure.num_qubits)
        return self._make(structure, bits, (Layer(()),))

    def _plain(self, structure: Structure) -> Plan:
        return self._make(structure, all_qubits(structure.num_qubits), ())

    def _exact(self, work: Work) -> Plan:
        admit(work, self.capabilities())
        qubits = work.structure.num_qubits
        return self._make(work.structure, all_qubits(qubits), (), strings=strings(work.observables, qubits))

    def _observed(self, work: Work) -> Plan:
        admit(work, self.capabilities())
        return self._make(work.structure, all_qubits(work.structure.num_qubits), bases(work.observables))

    def _reduced(self, work: Work) -> Plan:
        admit(work, self.capabilities())
        qubits = work.structure.num_qubits
        before = bases(work.observables)
        return self._make(work.structure, all_qubits(qubits), before, sums=sums(work.observables, qubits))


def _sweep(members: tuple[Member, ...]) -> Sweep:
    lengths = [len(member.parameters) for member in members]
    parameters = np.ascontiguousarray(np.concatenate([member.parameters for member in members]), np.float64)
    keys = np.array([_key(member.seed) for member in members], np.uint64)
    places = np.concatenate([np.asarray(member.places, np.int64) for member in members])
    return Sweep(parameters, np.repeat(keys, lengths, axis=0), places)


def _unseeded(parameters: NDArray[np.float64]) -> Sweep:
    rows = len(parameters)
    return Sweep(np.ascontiguousarray(parameters, np.float64), np.zeros((rows, 2), np.uint64), np.zeros(rows, np.int64))


def _key(seed: int | None) -> tuple[int, int]:
    """A member's two words of the random streams' keys: from its seed, or from the machine's entropy."""
    if seed is None:
        first, second = np.random.SeedSequence().generate_state(2, np.uint64).tolist()
        return first, second
    digest = hashlib.blake2b(str(seed).encode(), digest_size=_KEY_BYTES, person=b"quire-rows").digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def _shared(
    members: tuple[Member, ...], values: NDArray[np.float64], errors: NDArray[np.float64] | None
) -> tuple[MemberOutcome, ...]:
    return tuple(
        MemberOutcome(values=values[cut], std_errors=None if errors is None else errors[cut])
        for cut in member_rows(members)
    )


def _packed(members: tuple[Member, ...], tallies: Tallies, plan: Plan) -> tuple[MemberOutcome, ...]:
    """Each member's share of the entries, without a copy."""
    edges = np.concatenate(([0], np.cumsum(tallies.lengths)))
    answers = []
    for cut in member_rows(members):
        offsets = edges[cut.start * plan.circuits : cut.stop * plan.circuits + 1]
        entries = slice(offsets[0], offsets[-1])
        counts = PackedCounts(
            plan.bits.width,
            (offsets - offsets[0]).astype(np.uint32),
            tallies.tallies[entries],
            tallies.outcomes[entries],
        )
        answers.append(MemberOutcome(counts=counts))
    return tuple(answers)
