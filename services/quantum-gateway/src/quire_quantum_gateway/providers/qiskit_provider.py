"""Qiskit behind the provider port: any BackendV2 by name, compiled once for each structure and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, partial
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Final

from quire_plane.compile_cache import CompileCache, CompileKey
from quire_quantum.qiskit_home import settle
from quire_quantum_gateway.drift import Snapshot
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.faults import NO_BACKEND, WIDTH, translated
from quire_quantum_gateway.providers.local_provider import LocalProvider, Ready

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quire_quantum.executor import Capabilities, Work
    from quire_quantum.structure import Structure
    from quire_quantum_gateway.providers.qiskit_compiled import Compiled
    from quire_quantum_gateway.providers.qiskit_machines import Machine
    from quire_resilience.clock import Clock

_MIB: Final = 1024 * 1024

FAULTS: Final = faults.load("qiskit")
"""What exceptions of Qiskit and Aer mean that compiling and running here can raise."""


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """What simulators may take, and how circuits are compiled.

    memory_mib: for the probabilities of a call; more rows go in several calls.
    threads: of one simulation; 0 is one for each core.
    max_qubits: the widest circuit without noise. max_noisy_qubits: with noise, counted after routing, which brings in
        idle neighbours: an 8-qubit ring on fake_brisbane touches 12 qubits and takes 20 s for 1,024 shots on 2 cores.
    optimization_level, seed_transpiler: Qiskit's.
    """

    memory_mib: int = 1024
    threads: int = 1
    max_qubits: int = 24
    max_noisy_qubits: int = 12
    optimization_level: int = 1
    seed_transpiler: int = 7


class QiskitSimulators:
    """The backends of the provider `qiskit`; see `local_provider.Simulators`.

    enabled: backend names or patterns as in `fake_*`.
    compiled: the cache of compilations.
    """

    name = "qiskit"
    faults = FAULTS

    def __init__(self, enabled: Sequence[str], settings: MachineSettings, compiled: CompileCache[Compiled]) -> None:
        """Nothing of Qiskit is imported, and no backend opened, before it is asked for."""
        self._enabled = tuple(enabled)
        self._settings = settings
        self._compiled = compiled
        self._machines: dict[str, Machine] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._opening = Lock()

    def discover(self) -> Sequence[Capabilities]:
        """The backends that are enabled by their full names, and those opened so far."""
        named = {name for name in self._enabled if not set(name) & set("*?[")}
        return [self.capabilities(name) for name in sorted(named | set(self._machines))]

    def capabilities(self, backend: str) -> Capabilities:
        """See `Provider.capabilities`."""
        return self._machine(backend).capabilities

    def identity(self, backend: str) -> str | None:
        """See `Provider.identity`."""
        machine = self._machines.get(backend)
        if machine is None:
            return None
        software = (
            f"aer {version('qiskit-aer')}, qiskit {version('qiskit')}, gateway {version('quire-quantum-gateway')}"
        )
        return f"qiskit:{backend} {machine.version}|{machine.calibration_id}|{self._compiler}|{software}"

    def refresh(self) -> Sequence[str]:
        """See `Provider.refresh`."""
        stale = [each for each in list(self._machines.values()) if each.calibration_now() != each.calibration_id]
        for machine in stale:
            with self._opening:
                self._machines.pop(machine.name, None)
                self._snapshots[machine.name] = Snapshot(machine.calibration_now(), machine.figures_now())
            # The old calibration may still be that of another backend of the family.
            in_use = {(each.family, each.calibration_id) for each in list(self._machines.values())}
            old = (machine.family, machine.calibration_id)
            if old not in in_use:
                self._compiled.forget(lambda key, old=old: (key.family, key.calibration) == old)  # type: ignore[misc]
        return [machine.name for machine in stale]

    def snapshots(self) -> Mapping[str, Snapshot]:
        """See `Provider.snapshots`."""
        with self._opening:
            return dict(self._snapshots)

    def prepare(self, backend: str, work: Work) -> Ready:
        """Compile the work's circuits, parameters free.

        Raises:
            Permanent: kind `invalid`, code `unsupported-width`: too many qubits for noise, after routing.
        """
        settle()
        from quire_quantum_gateway.providers import qiskit_compiled, qiskit_runs  # noqa: PLC0415 - imports the SDK

        machine = self._machine(backend)
        exact = work.shots is None
        structures = (qiskit_runs.without_measurements(work.structure),) if exact else work.circuits()
        found = [self._compile(machine, structure, work.places) for structure in structures]
        plain = [each for each, _ in found]
        with translated(FAULTS):
            compiled = qiskit_compiled.scaled(plain, work.scales)
        if machine.noise is not None and max(len(each.qubits) for each in compiled) > self._settings.max_noisy_qubits:
            raise faults.error_of(faults.fault_of(WIDTH))
        return Ready(
            run=partial(qiskit_runs.exact, machine, compiled[0], work)
            if exact
            else partial(qiskit_runs.sample, machine, compiled, work, self._settings.memory_mib * _MIB),
            cached=all(cached for _, cached in found),
            depth=max(each.depth for each in compiled),
            two_qubit_gates=max(each.two_qubit_gates for each in compiled),
            calibration_id=machine.calibration_id,
            transpiler={
                "optimization_level": self._settings.optimization_level,
                "seed_transpiler": self._settings.seed_transpiler,
            },
            metadata={
                "backend_version": machine.version,
                "noise": machine.noise is not None,
                "circuits": len(compiled),
            },
            read_from=tuple(each.read_from for each in plain),
            scales=qiskit_compiled.reached(plain, work.scales),
        )

    @property
    def _compiler(self) -> str:
        return f"level={self._settings.optimization_level} seed={self._settings.seed_transpiler}"

    def _machine(self, name: str) -> Machine:
        if not any(fnmatchcase(name, pattern) for pattern in self._enabled):
            raise faults.error_of(faults.fault_of(NO_BACKEND))
        with self._opening:
            if name not in self._machines:
                settle()
                with translated(FAULTS):
                    from quire_quantum_gateway.providers.qiskit_machines import open_machine  # noqa: PLC0415 - 2 s

                    machine = self._machines[name] = open_machine(name, self._settings)
                    if machine.noise is not None:
                        self._snapshots[name] = Snapshot(machine.calibration_id, machine.figures_now())
            return self._machines[name]

    def _compile(self, machine: Machine, structure: Structure, places: Sequence[int]) -> tuple[Compiled, bool]:
        from quire_quantum_gateway.providers.qiskit_compiled import compile_structure  # noqa: PLC0415 - imports the SDK

        settings = f"{self._compiler} on={places}" if places else self._compiler
        key = CompileKey(structure.sha256, machine.family, settings, machine.calibration_id)
        return self._compiled.get(key, lambda: compile_structure(machine, structure, places))


@cache
def _software() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("qiskit", "qiskit-aer", "quire-quantum-gateway"))


def qiskit_provider(
    enabled: Sequence[str],
    settings: MachineSettings,
    clock: Clock,
    compiled: CompileCache[Compiled] | None = None,
) -> LocalProvider:
    """The provider `qiskit`; see `QiskitSimulators`."""
    return LocalProvider(
        QiskitSimulators(enabled, settings, CompileCache(256) if compiled is None else compiled), clock
    )
