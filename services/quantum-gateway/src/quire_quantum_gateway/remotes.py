"""The remote providers that the settings name: accounts, devices and addresses, put together here."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from quire_quantum_gateway.providers.aws_provider import AwsProvider
from quire_quantum_gateway.providers.aws_service import AwsSettings
from quire_quantum_gateway.providers.ibm_account import Door, open_account
from quire_quantum_gateway.providers.ibm_backends import IbmSettings
from quire_quantum_gateway.providers.ibm_provider import IbmProvider

if TYPE_CHECKING:
    from quire_plane.compile_cache import CompileCache
    from quire_quantum_gateway.providers.port import Provider
    from quire_quantum_gateway.providers.qiskit_compiled import Compiled
    from quire_quantum_gateway.settings import Settings
    from quire_resilience.clock import Clock


def remote_providers(settings: Settings, clock: Clock, compiled: CompileCache[Compiled]) -> list[Provider]:
    """Those with a device that is named in the settings and matches a target; nothing is called or imported."""
    found: list[Provider] = []
    aws, ibm = _aws(settings), _ibm(settings)
    if aws.devices:
        found.append(AwsProvider(aws, clock))
    if ibm.backends:
        found.append(IbmProvider(ibm, partial(open_account, _door(settings), clock), clock, compiled))
    return found


def enabled(targets: tuple[str, ...], provider: str) -> tuple[str, ...]:
    """The backend names, or patterns of them, of one provider's targets."""
    return tuple(target.partition(":")[2] for target in targets if target.partition(":")[0] == provider)


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a backend's name fits one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _aws(settings: Settings) -> AwsSettings:
    patterns = enabled(settings.targets, "aws")
    return AwsSettings(
        devices={name: arn for name, arn in settings.aws_devices.items() if matches(name, patterns)},
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


def _ibm(settings: Settings) -> IbmSettings:
    patterns = enabled(settings.targets, "ibm")
    return IbmSettings(
        backends=tuple(name for name in settings.ibm_backends if matches(name, patterns)),
        identity="forgetful" if settings.ibm_api == "local" else settings.ibm_identity,
        account=settings.ibm_instance[:128] or "default",
        prefix=settings.installation,
        seconds=settings.call_seconds,
        calls=settings.provider_calls,
        longest=settings.ibm_job_seconds,
        second_usd=settings.ibm_second_usd,
        optimization_level=settings.optimization_level,
        seed_transpiler=settings.seed_transpiler,
    )


def _door(settings: Settings) -> Door:
    return Door(
        api=settings.ibm_api,
        url=settings.ibm_url,
        token=settings.ibm_token.get_secret_value() if settings.ibm_token is not None else "",
        instance=settings.ibm_instance,
        seconds=settings.call_seconds,
        calls=settings.provider_calls,
        longest=settings.ibm_job_seconds,
    )
