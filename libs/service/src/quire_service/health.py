"""What an orchestrator may ask a process: is the loop alive, can it work, and what is it."""

import asyncio
import platform
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from quire_resilience.clock import Clock
from quire_service.composition import Check

CHECK_SECONDS = 2.0
REUSE_SECONDS = 0.5

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Health:
    """The state behind the three routes; `ready` is false until the service says so and from the moment it stops.

    `/livez` is answered by the event loop that the handlers run in: a starved or stuck loop does not answer, and that
    is the only honest sign of it. `/readyz` runs every check, the broker's end-to-end one among them, each within
    `CHECK_SECONDS`; answers are reused for `REUSE_SECONDS` so that eager probes cost nothing.
    """

    def __init__(self, *, service: str, version: str, instance: str, environment: str, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.now()
        self._about = {
            "service": service,
            "version": version,
            "instance": instance,
            "environment": environment,
            "python": platform.python_version(),
            "started_at": self._started.isoformat(),
        }
        self._checks: Mapping[str, Check] = {}
        self._lock = asyncio.Lock()
        self._last: tuple[float, dict[str, str]] | None = None
        self.state = "starting"
        self.metrics: Callable[[], str] | None = None

    def watch(self, checks: Mapping[str, Check]) -> None:
        """Run these checks, by name, for `/readyz` from now on."""
        self._checks = dict(checks)
        self._last = None

    async def faults(self) -> dict[str, str]:
        """The reasons, by check, why the service cannot work now; empty when it can."""
        if self.state != "running":
            return {"state": self.state}
        async with self._lock:
            now = self._clock.monotonic()
            if self._last is None or now - self._last[0] >= REUSE_SECONDS:
                outcomes = await asyncio.gather(*(_outcome(check) for check in self._checks.values()))
                found = {name: reason for name, reason in zip(self._checks, outcomes, strict=True) if reason}
                self._last = (now, found)
            return self._last[1]

    async def app(self, scope: Mapping[str, Any], _receive: Any, send: Send) -> None:
        """The ASGI application: GET /livez, /readyz, /info and /metrics (Prometheus text)."""
        if scope["type"] != "http":
            return
        match scope["path"]:
            case "/livez":
                await _answer(send, 200, {"live": True, "state": self.state})
            case "/readyz":
                faults = await self.faults()
                await _answer(send, 503 if faults else 200, {"ready": not faults, "faults": faults})
            case "/info":
                age = (self._clock.now() - self._started).total_seconds()
                await _answer(send, 200, {**self._about, "state": self.state, "uptime_seconds": round(age, 3)})
            case "/metrics" if self.metrics is not None:
                await _send(send, 200, b"text/plain; version=0.0.4; charset=utf-8", self.metrics().encode())
            case _:
                await _answer(send, 404, {"paths": ["/livez", "/readyz", "/info", "/metrics"]})


async def _outcome(check: Check) -> str | None:
    try:
        await asyncio.wait_for(check(), CHECK_SECONDS)
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its reason
        return str(error) or type(error).__name__
    return None


async def _answer(send: Send, status: int, body: object) -> None:
    await _send(send, status, b"application/json", msgspec.json.encode(body))


async def _send(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
