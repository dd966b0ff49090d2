"""What a decision comes to: the record as it should now be, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from quire_contracts.record import Step, evolve
from quire_control_plane.routing import default_acceptance, default_chain, default_patience, everything_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from quire_contracts.appraisal import Appraisal, AppraiseWork
    from quire_contracts.evidence import EvidenceKept
    from quire_contracts.family import Child
    from quire_contracts.record import JobRecord, JobState
    from quire_contracts.result import JobResult
    from quire_contracts.value import BlobRef, Value
    from quire_control_plane.routing import Accepts, Chains, Down, Patiences, Routing


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
    `births`: children of the job to be made jobs in the same commit; the record says already that they were started.
    `evidence`: what is kept beside the record of a job that has ended, once.
    `asks`: nothing is decided yet; whether there is an earlier answer must be known first (`Moment.earlier`).
    `appraise`: nothing is decided yet; what gateways say of these must be known first (`Moment.appraised`).
    """

    record: JobRecord | None = None
    says: tuple[Say, ...] = ()
    asks: bool = False
    appraise: tuple[AppraiseWork, ...] = ()
    births: tuple[Child, ...] = ()
    evidence: EvidenceKept | None = None


NOTHING = Change()


@dataclass(frozen=True, slots=True)
class Earlier:
    """The answer of an equal job that ended before."""

    job_id: str
    answered_at: datetime
    result: JobResult | None = None
    result_ref: BlobRef | None = None


def _plain(_: str) -> bool:
    """All targets are."""
    return True


def _unknown(_: object) -> None:
    """Nobody knows."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a decision is taken, which message caused it, the rules in force, and which targets take no work.

    looked: whether anybody has looked for an earlier answer; `earlier` is what was found.
    seconds: until the answer of work sent to a target now.
    gain: by which share quantum answers of such jobs are better.
    plain: whether a target is known to be neither a device nor paid for; appraised: what gateways said when they were
    asked, None where they gave no answer.
    """

    now: datetime
    cause: str
    routing: Routing
    chain: Chains = default_chain
    down: Down = everything_up
    looked: bool = False
    earlier: Earlier | None = None
    acceptance: Accepts = default_acceptance
    patience: Patiences = default_patience
    seconds: Callable[[str], float | None] = _unknown
    gain: Callable[[JobRecord], float | None] = _unknown
    plain: Callable[[str], bool] = _plain
    appraised: Mapping[AppraiseWork, Appraisal | None] = field(default_factory=dict)


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
