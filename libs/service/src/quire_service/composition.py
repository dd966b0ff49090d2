"""The shape of a service: what it is handed, and what it hands back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from opentelemetry.metrics import Meter
from opentelemetry.trace import Tracer
from structlog.typing import FilteringBoundLogger

from quire_resilience.clock import Clock
from quire_service.metrics import no_meter
from quire_service.settings import ServiceSettings

if TYPE_CHECKING:
    from quire_bus.bus import Bus
    from quire_bus.router import Router

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)

Check = Callable[[], Awaitable[None]]
"""Raises, with the reason as its message, when the service could not do its work now."""

Background = Callable[[asyncio.Event], Awaitable[None]]
"""Runs beside the handlers until the event is set, then finishes what it holds and returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps(Generic[SettingsT]):
    """Everything a service may reach; `build` closes over it, so nothing is global and nothing connects at import.

    meter: counts what the service does; inert where nobody reads it. Attributes of bounded number only, never an id.
    """

    settings: SettingsT
    bus: Bus
    clock: Clock
    tracer: Tracer
    log: FilteringBoundLogger
    instance: str
    lifetime: AsyncExitStack
    meter: Meter = field(default_factory=no_meter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `build` made: routers to consume from, background tasks and readiness checks, both by name."""

    routers: Sequence[Router] = ()
    background: Mapping[str, Background] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Generic[SettingsT]):
    """A service as data: its name (the durable's and image's spelling), version, settings type and composition."""

    name: str
    version: str
    settings: type[SettingsT]
    build: Callable[[Deps[SettingsT]], Awaitable[Parts]]
