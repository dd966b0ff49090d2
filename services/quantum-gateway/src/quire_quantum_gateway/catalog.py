"""Which target is served by which provider and backend."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeVar

from quire_plane.compile_cache import CompileCache
from quire_quantum_gateway.providers.aws_provider import AwsProvider
from quire_quantum_gateway.providers.aws_service import AwsSettings
from quire_quantum_gateway.providers.braket_provider import BACKENDS, braket_provider
from quire_quantum_gateway.providers.faults import NO_BACKEND, error_of, fault_of
from quire_quantum_gateway.providers.port import ProviderExecutor
from quire_quantum_gateway.providers.qiskit_provider import MachineSettings, qiskit_provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Meter

    from quire_quantum_gateway.providers.braket_local import Parsed
    from quire_quantum_gateway.providers.port import Provider
    from quire_quantum_gateway.providers.qiskit_runs import Compiled
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
    sets = {name: settings.program_set_executables for name in BACKENDS if _matches(name, backends)}
    providers: list[Provider] = [
        qiskit_provider(enabled(settings.targets, "qiskit"), machines, clock, qiskit),
        braket_provider(enabled(settings.targets, "braket"), settings.max_qubits, clock, braket, sets),
    ]
    aws = _aws(settings)
    if aws.devices:
        providers.append(AwsProvider(aws, clock))
    return {provider.name: provider for provider in providers if enabled(settings.targets, provider.name)}


def _aws(settings: Settings) -> AwsSettings:
    patterns = enabled(settings.targets, "aws")
    return AwsSettings(
        devices={name: arn for name, arn in settings.aws_devices.items() if _matches(name, patterns)},
        region=settings.aws_region,
        endpoint_url=settings.aws_endpoint_url,
        s3_endpoint_url=settings.aws_s3_endpoint_url,
        bucket=settings.aws_results_bucket,
        account=settings.aws_account,
        prefix=settings.installation,
        seconds=settings.call_seconds,
        calls=settings.provider_calls,
        tasks=settings.aws_tasks_per_batch,
        task_usd=settings.aws_task_usd,
        watch_spending=settings.aws_spending_limits,
    )


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


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
        if name in catalog and catalog[name].identity_mode(backend) == "forgetful"
    }
