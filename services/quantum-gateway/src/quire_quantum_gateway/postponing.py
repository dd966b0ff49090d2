"""Work that a provider takes no calls for now: it goes back to the log until later, which costs no delivery.

A delivery that is refused again and again is given up after a few times. A batch that waits for its provider has
nothing wrong with it, so it is not refused but said again, by the broker's scheduler, and its old message is done.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from quire_bus.envelope import Outgoing
from quire_contracts.batch import ExecuteBatch
from quire_quantum_gateway.providers.faults import error_of

if TYPE_CHECKING:
    from datetime import datetime

    from quire_contracts.batch import Batch
    from quire_quantum_gateway.limits import Postponed

SOONEST_SECONDS: Final = 1.0
LATEST_SECONDS: Final = 120.0
"""Between these, so that a batch comes neither in a hot loop nor long after its provider is back."""


def said_later(batch: Batch, postponed: Postponed, now: datetime, patience: timedelta) -> Outgoing:
    """The command that runs the batch later.

    patience: how old the batch may become, by the time it was formed; its deadline ends it sooner.

    Raises:
        Permanent: it cannot wait, or waiting does not help; its fault says why the provider does not have it.
        Transient: the same for a fault that time heals.
    """
    seconds = min(LATEST_SECONDS, max(SOONEST_SECONDS, postponed.retry_after or 0.0))
    later = now + timedelta(seconds=seconds)
    ends = [batch.formed_at + patience, *([batch.deadline_at] if batch.deadline_at is not None else [])]
    if later >= min(ends) or not postponed.fault.retryable:
        raise error_of(postponed.fault)
    return Outgoing(ExecuteBatch(batch), at=later)
