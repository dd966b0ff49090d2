"""Qiskit behind the provider port: any BackendV2 by name, compiled once for each structure and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock
from typing import TYPE_CHECKING, Final

from quire_contracts.value import Execution
from quire_plane import admit
from quire_plane.compile_cache import CompileCache, CompileKey
from quire_quantum.executor import Outcome
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.faults import CIRCUIT, NO_BACKEND, WIDTH, Row, Table, translated
from quire_quantum_gateway.providers.local_jobs import LocalJobs
from quire_quantum_gateway.providers.port import JobStatus, Quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.value import Fault
    from quire_quantum.executor import Capabilities, MemberOutcome, Work
    from quire_quantum.structure import Structure
    from quire_quantum_gateway.providers.qiskit_machines import Machine
    from quire_quantum_gateway.providers.qiskit_runs import Compiled
    from quire_resilience.clock import Clock

_LOST: Final = Row(
    "unknown",
    "job-state-unknown",
    "the provider could not say what became of the job",
    "Look the job up at the provider before it is run again.",
)
FAULTS: Final[Table] = {
    "builtins.MemoryError": WIDTH,
    "builtins.TimeoutError": faults.TIMED_OUT,
    "builtins.ModuleNotFoundError": faults.NOT_INSTALLED,
    "qiskit.circuit.exceptions.CircuitError": CIRCUIT,
    "qiskit.dagcircuit.exceptions.DAGCircuitError": CIRCUIT,
    "qiskit.dagcircuit.exceptions.DAGDependencyError": CIRCUIT,
    "qiskit.exceptions.MissingOptionalLibraryError": faults.NOT_INSTALLED,
    "qiskit.exceptions.QiskitError": faults.UNKNOWN,
    "qiskit.passmanager.exceptions.PassManagerError": CIRCUIT,
    "qiskit.passmanager.lowering_passmanager.LoweringPassManagerError": CIRCUIT,
    "qiskit.passmanager.lowering_passmanager.PassError": CIRCUIT,
    "qiskit.providers.basic_provider.exceptions.BasicProviderError": CIRCUIT,
    "qiskit.providers.exceptions.JobError": _LOST,
    "qiskit.providers.exceptions.JobTimeoutError": _LOST,
    "qiskit.providers.exceptions.QiskitBackendNotFoundError": NO_BACKEND,
    "qiskit.result.exceptions.ResultError": _LOST,
    "qiskit.transpiler.exceptions.CircuitTooWideForTarget": WIDTH,
    "qiskit.transpiler.exceptions.CouplingError": CIRCUIT,
    "qiskit.transpiler.exceptions.InvalidLayoutError": CIRCUIT,
    "qiskit.transpiler.exceptions.LayoutError": CIRCUIT,
    "qiskit.transpiler.exceptions.TranspilerAccessError": CIRCUIT,
    "qiskit.transpiler.exceptions.TranspilerError": CIRCUIT,
    "qiskit_aer.aererror.AerError": CIRCUIT,
    "qiskit_aer.noise.noiseerror.NoiseError": CIRCUIT,
}
"""Every exception of Qiskit and Aer that compiling and running here can raise; a test lists them."""


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """What simulators may take, and how circuits are compiled.

    threads: of one simulation; 0 is one for each core.
    max_qubits: the widest circuit without noise. max_noisy_qubits: with noise, counted after routing, which brings in
        idle neighbours: an 8-qubit ring on fake_brisbane touches 12 qubits and takes 20 s for 1,024 shots on 2 cores.
    optimization_level, seed_transpiler: Qiskit's.
    """

    threads: int = 1
    max_qubits: int = 24
    max_noisy_qubits: int = 12
    optimization_level: int = 1
    seed_transpiler: int = 7


class QiskitProvider:
    """The provider `qiskit`; see `providers.port.Provider`.

    enabled: backend names or patterns as in `fake_*`.
    compiled: how many compilations are kept.
    """

    name = "qiskit"
    forgetful = True

    def __init__(self, enabled: Sequence[str], settings: MachineSettings, clock: Clock, *, compiled: int = 256) -> None:
        """Nothing of Qiskit is imported, and no backend opened, before it is asked for."""
        self._enabled = tuple(enabled)
        self._settings = settings
        self._clock = clock
        self._jobs = LocalJobs()
        self._compiled: CompileCache[Compiled] = CompileCache(compiled)
        self._machines: dict[str, Machine] = {}
        self._opening = Lock()

    def discover(self) -> Sequence[Capabilities]:
        """The backends that are enabled by their full names, and those opened so far."""
        named = {name for name in self._enabled if not set(name) & set("*?[")}
        return [self.capabilities(name) for name in sorted(named | set(self._machines))]

    def capabilities(self, backend: str) -> Capabilities:
        """See `Provider.capabilities`."""
        return self._machine(backend).capabilities

    def cost(self, backend: str, work: Work) -> Quote:  # noqa: ARG002 - simulators are free, whatever they run
        """Nothing."""
        return Quote()

    def submit(self, backend: str, work: Work, token: str) -> str:
        """Accept the work; it runs when it is retrieved.

        Raises:
            Permanent: the backend cannot take it.
        """
        machine = self._machine(backend)
        admit(work, machine.capabilities)
        return self._jobs.accept(token, lambda: self._execute(machine, work, f"local-{token}"))

    def status(self, job_id: str) -> JobStatus:
        """See `Provider.status`."""
        return self._jobs.status(job_id)

    def cancel(self, job_id: str) -> None:
        """See `Provider.cancel`."""
        self._jobs.cancel(job_id)

    def retrieve(self, job_id: str) -> Outcome:
        """See `Provider.retrieve`."""
        return self._jobs.result(job_id)

    def classify(self, error: BaseException) -> Fault:
        """See `Provider.classify`."""
        return faults.classify(error, FAULTS)

    def _machine(self, name: str) -> Machine:
        if not any(fnmatchcase(name, pattern) for pattern in self._enabled):
            raise faults.error_of(faults.fault_of(NO_BACKEND))
        with self._opening:
            if name not in self._machines:
                with translated(FAULTS):
                    from quire_quantum_gateway.providers.qiskit_machines import open_machine  # noqa: PLC0415 - 2 s

                    self._machines[name] = open_machine(name, self._settings)
            return self._machines[name]

    def _execute(self, machine: Machine, work: Work, job_id: str) -> Outcome:
        from quire_quantum_gateway.providers import qiskit_runs  # noqa: PLC0415 - imports the SDK

        started_at, began = self._clock.now(), self._clock.monotonic()
        with translated(FAULTS):
            if work.shots is None:
                structures: tuple[Structure, ...] = (qiskit_runs.without_measurements(work.structure),)
            else:
                structures = work.circuits()
            found = [self._compile(machine, structure) for structure in structures]
            compiled = [each for each, _ in found]
            self._check_width(machine, compiled)
            ready = self._clock.monotonic()
            members: tuple[MemberOutcome, ...]
            if work.shots is None:
                members = qiskit_runs.exact(machine, compiled[0], work)
            else:
                members = qiskit_runs.sample(machine, compiled, work)
        execution = Execution(
            target=machine.capabilities.target,
            provider=self.name,
            backend=machine.name,
            region="local",
            calibration_id=machine.calibration_id,
            circuit_sha256=work.structure.sha256,
            shots=work.shots,
            parameter_sets=work.rows,
            started_at=started_at,
            queue_seconds=0.0,
            compile_seconds=ready - began,
            execute_seconds=self._clock.monotonic() - ready,
            provider_job_id=job_id,
            simulator=True,
            compile_cached=all(cached for _, cached in found),
            compiled_depth=max(each.depth for each in compiled),
            two_qubit_gates=max(each.two_qubit_gates for each in compiled),
            cost_usd=self.cost(machine.name, work).usd,
            transpiler={
                "optimization_level": self._settings.optimization_level,
                "seed_transpiler": self._settings.seed_transpiler,
            },
            provider_metadata={"backend_version": machine.version, "noise": machine.noise, "circuits": len(compiled)},
        )
        return Outcome(members, execution)

    def _check_width(self, machine: Machine, compiled: Sequence[Compiled]) -> None:
        if machine.noise and max(each.active_qubits for each in compiled) > self._settings.max_noisy_qubits:
            raise faults.error_of(faults.fault_of(WIDTH))

    def _compile(self, machine: Machine, structure: Structure) -> tuple[Compiled, bool]:
        from quire_quantum_gateway.providers.qiskit_runs import compile_structure  # noqa: PLC0415 - imports the SDK

        settings = f"level={self._settings.optimization_level} seed={self._settings.seed_transpiler}"
        key = CompileKey(structure.sha256, machine.name, settings, machine.calibration_id)
        return self._compiled.get(key, lambda: compile_structure(machine, structure))
