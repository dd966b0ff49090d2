"""The records that this replica wrote last, so that the next message about a job need not ask the broker for it.

What is recalled may be stale, for another replica may have written since. So it serves only to decide what is then
committed against its revision: the broker refuses that where it is stale, and the message is decided on a fresh
reading. That nothing follows from a message is never concluded from what is recalled.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from quire_bus.records import Stored

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord

RECORDS: Final = 512
"""Records recalled at most; one of a long loop takes some 300 KB."""


class Recall:
    """The newest records of jobs under way, the least recently written forgotten first."""

    def __init__(self, most: int = RECORDS) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, str], Stored[JobRecord]] = OrderedDict()

    def take(self, tenant: str, job_id: str) -> Stored[JobRecord] | None:
        """The job's record as it was written last, and forget it: who takes it writes the next one, or has failed."""
        return self._kept.pop((tenant, job_id), None)

    def keep(self, record: JobRecord, revision: int) -> None:
        """Remember what was just written; not what is over, and nothing older than what is known."""
        key = (record.tenant, record.job_id)
        known = self._kept.pop(key, None)
        if record.is_over:
            return
        written = Stored(record, revision)
        self._kept[key] = known if known is not None and known.revision > revision else written
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
