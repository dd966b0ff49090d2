"""Which target is served by which provider and backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from quire_quantum_gateway.providers.braket_provider import BraketProvider
from quire_quantum_gateway.providers.faults import NO_BACKEND, error_of, fault_of
from quire_quantum_gateway.providers.port import ProviderExecutor
from quire_quantum_gateway.providers.qiskit_provider import MachineSettings, QiskitProvider

if TYPE_CHECKING:
    from quire_quantum_gateway.providers.port import Provider
    from quire_quantum_gateway.settings import Settings
    from quire_resilience.clock import Clock

Catalog = Mapping[str, "Provider"]
"""Providers by name."""


def open_catalog(settings: Settings, clock: Clock) -> Catalog:
    """The providers of the enabled targets; their SDKs are imported when the first work comes."""
    providers: tuple[Provider, ...] = (
        QiskitProvider(
            enabled(settings.targets, "qiskit"),
            MachineSettings(
                threads=settings.threads,
                max_qubits=settings.max_qubits,
                max_noisy_qubits=settings.max_noisy_qubits,
                optimization_level=settings.optimization_level,
                seed_transpiler=settings.seed_transpiler,
            ),
            clock,
            compiled=settings.compiled_circuits,
        ),
        BraketProvider(
            enabled(settings.targets, "braket"), settings.max_qubits, clock, compiled=settings.compiled_circuits
        ),
    )
    return {provider.name: provider for provider in providers if enabled(settings.targets, provider.name)}


def enabled(targets: tuple[str, ...], provider: str) -> tuple[str, ...]:
    """The backend names, or patterns of them, of one provider's targets."""
    return tuple(target.partition(":")[2] for target in targets if target.partition(":")[0] == provider)


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
        if name in catalog and catalog[name].forgetful
    }
