"""Work that a provider takes no calls for now: it goes back to the log until later, which costs no delivery.

A delivery that is refused again and again is given up after a few times. A batch that waits for its provider has
nothing wrong with it, so it is not refused but said again, by the broker's scheduler, and its old message is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from quire_bus.envelope import Outgoing
from quire_contracts.batch import BatchFailed, ExecuteBatch

if TYPE_CHECKING:
    from datetime import datetime

    from quire_contracts.batch import Batch
    from quire_quantum_gateway.limits import Postponed


@dataclass(frozen=True, slots=True)
class Patience:
    """How old a batch may become while it waits for its provider, by the time it was formed.

    down: where the target takes no work: whoever chose it may know a better one.
    busy: where the provider has no room for it at the moment.
    """

    down: timedelta
    busy: timedelta


NO_PATIENCE: Final = Patience(timedelta(0), timedelta(0))

GIVEN_BACK: Final = frozenset({"switched-off"})
"""Codes of what nobody can say the end of: an operator decides that, so the batch does not wait here."""

SOONEST_SECONDS: Final = 1.0
LATEST_SECONDS: Final = 120.0
"""Between these, so that a batch comes neither in a hot loop nor long after its provider is back."""


def said_later(batch: Batch, postponed: Postponed, now: datetime, patience: Patience) -> Outgoing | BatchFailed:
    """The command that runs the batch later; or, where it cannot wait or waiting does not help, its end.

    A batch's deadline ends its patience sooner. `after_seconds` of the end is when the provider may be asked again.
    """
    fault, wanted = postponed.fault, postponed.retry_after or 0.0
    later = now + timedelta(seconds=min(LATEST_SECONDS, max(SOONEST_SECONDS, wanted)))
    bound = batch.formed_at + (patience.down if fault.kind == "offline" else patience.busy)
    if fault.retryable and fault.code not in GIVEN_BACK and later < min(bound, batch.deadline_at or bound):
        return Outgoing(ExecuteBatch(batch), at=later)
    return BatchFailed(
        batch_id=batch.batch_id, target=batch.target, members=batch.members, fault=fault, after_seconds=wanted
    )
