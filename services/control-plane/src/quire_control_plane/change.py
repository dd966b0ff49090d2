"""What a decision comes to: the record as it should now be, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from quire_contracts.record import Step, evolve
from quire_control_plane.routing import default_chain, everything_up

if TYPE_CHECKING:
    from datetime import datetime

    from quire_contracts.record import JobRecord, JobState
    from quire_contracts.result import JobResult
    from quire_contracts.value import BlobRef, Value
    from quire_control_plane.routing import Chains, Down, Routing


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
    `asks`: nothing is decided yet; whether there is an earlier answer must be known first (`Moment.earlier`).
    """

    record: JobRecord | None = None
    says: tuple[Say, ...] = ()
    asks: bool = False


NOTHING = Change()


@dataclass(frozen=True, slots=True)
class Earlier:
    """The answer of an equal job that ended before."""

    job_id: str
    answered_at: datetime
    result: JobResult | None = None
    result_ref: BlobRef | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """When a decision is taken, which message caused it, the rules in force, and which targets take no work.

    looked: whether anybody has looked for an earlier answer; `earlier` is what was found.
    """

    now: datetime
    cause: str
    routing: Routing
    chain: Chains = default_chain
    down: Down = everything_up
    looked: bool = False
    earlier: Earlier | None = None


def seconds_later(moment: Moment, seconds: float) -> datetime | None:
    """When something is sent that is to wait for so long; None for at once."""
    return moment.now + timedelta(seconds=seconds) if seconds > 0 else None


def reach(record: JobRecord, state: JobState, moment: Moment, note: str = "", **changes: object) -> JobRecord:
    """The record in another state, with other fields replaced; the first time of each state is kept in its history."""
    seen = {step.state for step in record.history}
    history = record.history
    if state not in seen:
        history = (*history, Step(state=state, at=moment.now, cause=moment.cause, note=note))
    return evolve(record, state=state, updated_at=moment.now, history=history, **changes)
