"""What the tests of a control plane on a real broker say to it and read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_bus.envelope import Outgoing
from quire_contracts.record import JobRecord

if TYPE_CHECKING:
    from quire_bus.bus import Bus
    from quire_contracts.value import Value


async def tell(bus: Bus, message: Value, *, times: int = 2) -> None:
    """Say a message several times, each under an id of its own."""
    for attempt in range(times):
        await bus.publisher.publish(Outgoing(message, attempt=attempt))


async def record_of(bus: Bus, job_id: str = "job-1") -> JobRecord:
    stored = await bus.records("job", JobRecord).get("acme", job_id)
    assert stored is not None
    return stored.value
