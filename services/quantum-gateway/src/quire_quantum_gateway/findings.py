"""Jobs that turn up beside the way of a submission: adopted where it lacks one, cancelled where it has another."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from quire_quantum_gateway.events import Adopted, Doubled
from quire_quantum_gateway.journal import IllegalStep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quire_quantum_gateway.alarms import Alarms
    from quire_quantum_gateway.calls import Calls
    from quire_quantum_gateway.desk import Address
    from quire_quantum_gateway.journal import Submission
    from quire_quantum_gateway.submissions import Submissions

_LOG: Final = logging.getLogger("quire.gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What one gateway does about them. again: has a batch delivered again that was answered without its job."""

    journal: Submissions
    calls: Calls
    alarms: Alarms
    again: Callable[[str], Awaitable[object]]

    async def found(self, address: Address, submission: Submission, job_id: str, note: str) -> bool:
        """The provider has this job of a submission; whether it was adopted."""
        try:
            current = await self.journal.note(submission.batch_id, Adopted(job_id, note))
        except IllegalStep:
            newest = await self.journal.get(submission.batch_id)
            if newest is not None and newest.provider_job_id != job_id and newest.state not in ("intent", "calling"):
                await self.surplus(address, newest, job_id)
            return False
        if current is None:
            return False
        self.alarms.recovered(current)
        if any(step.state == "parked" for step in current.steps):
            await self.again(current.batch_id)
        return True

    async def surplus(self, address: Address, submission: Submission, job_id: str) -> None:
        """A job too many: have it cancelled, write it down, and raise the alarm once for each."""
        await self.cancel(address, job_id)
        if job_id in submission.duplicates:
            return
        await self.journal.note(submission.batch_id, Doubled(job_id))
        await self.alarms.duplicate(submission, job_id)

    async def cancel(self, address: Address, job_id: str) -> bool:
        """Ask for a job not to be run; whether the provider took that in."""
        try:
            await self.calls.call(address.target, "cancel", partial(address.provider.cancel, job_id))
        except Exception as error:  # noqa: BLE001 - the reconciler finds it again
            _LOG.warning("the job %s of %s could not be cancelled: %s", job_id, address.target, type(error).__name__)
            return False
        return True
