"""Which target is served by which provider and backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from quire_plane.compile_cache import CompileCache
from quire_quantum_gateway.providers.braket_provider import BACKENDS, braket_provider
from quire_quantum_gateway.providers.faults import NO_BACKEND, error_of, fault_of
from quire_quantum_gateway.providers.port import ProviderExecutor
from quire_quantum_gateway.providers.qiskit_provider import MachineSettings, qiskit_provider
from quire_quantum_gateway.remotes import enabled, matches, remote_providers

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Meter

    from quire_quantum_gateway.providers.braket_local import Parsed
    from quire_quantum_gateway.providers.port import Provider
    from quire_quantum_gateway.providers.qiskit_compiled import Compiled
    from quire_quantum_gateway.settings import Settings
    from quire_resilience.clock import Clock

C = TypeVar("C")

Catalog = Mapping[str, "Provider"]
"""Providers by name."""


def open_catalog(settings: Settings, clock: Clock, meter: Meter | None = None) -> Catalog:
    """The providers of the enabled targets; their SDKs are imported when the first work comes."""

    def cache(name: str, weigh: Callable[[C], int]) -> CompileCache[C]:
        return CompileCache(
            settings.compiled_circuits,
            weigh=weigh,
            max_weight=settings.compiled_gates,
            clock=clock,
            max_age=settings.compiled_seconds,
            meter=meter,
            name=name,
        )

    qiskit: CompileCache[Compiled] = cache("qiskit", lambda compiled: len(compiled.circuit.data))
    braket: CompileCache[Parsed] = cache("braket", lambda parsed: len(parsed.gates))
    machines = MachineSettings(
        memory_mib=settings.memory_mib,
        threads=settings.threads,
        max_qubits=settings.max_qubits,
        max_noisy_qubits=settings.max_noisy_qubits,
        optimization_level=settings.optimization_level,
        seed_transpiler=settings.seed_transpiler,
    )
    backends = enabled(settings.program_sets, "braket")
    sets = {name: settings.program_set_executables for name in BACKENDS if matches(name, backends)}
    providers: list[Provider] = [
        qiskit_provider(enabled(settings.targets, "qiskit"), machines, clock, qiskit),
        braket_provider(enabled(settings.targets, "braket"), settings.max_qubits, clock, braket, sets),
    ]
    providers += remote_providers(settings, clock, qiskit)
    return {provider.name: provider for provider in providers if enabled(settings.targets, provider.name)}


def find(catalog: Catalog, target: str) -> tuple[Provider, str]:
    """The provider and the backend of a target.

    Raises:
        Permanent: kind `invalid`, code `unsupported-target`: no enabled provider has that name.
    """
    name, _, backend = target.partition(":")
    if name not in catalog:
        raise error_of(fault_of(NO_BACKEND))
    return catalog[name], backend


def warmable(catalog: Catalog, targets: tuple[str, ...]) -> dict[str, ProviderExecutor]:
    """Executors of those targets that are enabled and cost nothing to run, by target."""
    return {
        target: ProviderExecutor(catalog[name], backend)
        for target in targets
        for name, _, backend in [target.partition(":")]
        if name in catalog and catalog[name].identity_mode(backend) == "forgetful"
    }
