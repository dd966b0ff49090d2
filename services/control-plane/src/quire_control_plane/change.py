"""What a decision comes to: the record as it should now be, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quire_contracts.record import Step, evolve

if TYPE_CHECKING:
    from datetime import datetime

    from quire_contracts.record import JobRecord, JobState
    from quire_contracts.value import Value
    from quire_control_plane.routing import Routing


@dataclass(frozen=True, slots=True)
class Say:
    """A message to send. `key` replaces the message's own key in the subject; `at` has the broker send it later."""

    message: Value
    key: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """The record after a message, and the messages that follow from it; nothing else happens.

    `record` None leaves everything as it is (and there is then nothing to say, but for an answer to a submission).
    """

    record: JobRecord | None = None
    says: tuple[Say, ...] = ()


NOTHING = Change()


@dataclass(frozen=True, slots=True)
class Moment:
    """When a decision is taken, which message caused it, and the routing rules in force."""

    now: datetime
    cause: str
    routing: Routing


def reach(record: JobRecord, state: JobState, moment: Moment, note: str = "", **changes: object) -> JobRecord:
    """The record in another state, with other fields replaced; the first time of each state is kept in its history."""
    seen = {step.state for step in record.history}
    history = record.history
    if state not in seen:
        history = (*history, Step(state=state, at=moment.now, cause=moment.cause, note=note))
    return evolve(record, state=state, updated_at=moment.now, history=history, **changes)
