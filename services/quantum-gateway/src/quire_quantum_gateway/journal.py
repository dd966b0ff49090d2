"""The journal of submissions: what was asked of a provider, when, and what became of it, as a pure state machine.

::

    (nothing) --Intended--> intent --Called--> calling --Accepted--> submitted --Retrieved--> retrieved
                              ^                  | |                     |
                              '---- Uncalled ----' |---- Refused --------'--> failed    not there, or it failed there
                                                   '---- Lost, TakenOver ---> unknown   never read as failed
    unknown --Called--> calling                 by the rule of the provider's identity: see `recovery`
    unknown --Adopted--> submitted              its job was found
    unknown --Refused(cleared)--> failed        it was proven not to be there
    unknown --Parked--> parked                  nobody will ever know: an operator adopts or abandons it
    calling, parked --Adopted--> submitted      a late answer, the reconciler or an operator knows the job
    parked --Abandoned--> abandoned

Laws: no provider call without a stored `calling`, which is written immediately before the call and by compare-and-swap,
so that it is also the proof that nobody took over; the provider's job id is stored before the job is waited for; an
answer is stored before it is said; what may be at the provider is never failed and never called again without proof.
A step of an older epoch is refused, so that a gateway that was given up cannot write into the run of its successor.
Jobs that cost nothing and die with their process (identity `forgetful`) go from intent to submitted, and begin again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

from quire_contracts.value import BlobRef, Fault, Key, Late, Target, Value
from quire_quantum_gateway.events import (
    FACTS,
    Abandoned,
    Accepted,
    Adopted,
    Called,
    CancelAsked,
    Doubled,
    Event,
    Intended,
    Lost,
    Parked,
    Refused,
    Retrieved,
    TakenOver,
    Uncalled,
)
from quire_quantum_gateway.tokens import token_of

KIND: Final = "submission"
"""The kind of record that the journal is made of; its id is the batch's."""

_STEPS_KEPT: Final = 32

_DUPLICATES_KEPT: Final = 16

change = msgspec.structs.replace

State = Literal["intent", "calling", "submitted", "retrieved", "failed", "unknown", "parked", "abandoned"]


class IllegalStep(ValueError):
    """A step that the state does not allow, or of an epoch that is over."""


class Step(Value, frozen=True):
    """One line of a submission's history."""

    state: State
    epoch: int
    at: datetime
    note: str = ""


class Submission(Value, frozen=True):
    """One batch's submission.

    token: identifies it at the provider; equal for equal requests of one batch.
    epoch: counts the gateways that have taken it on; steps of earlier ones are refused.
    answer: the stored BatchExecuted, once retrieved.
    fault: why it failed, was parked or abandoned; what is said again to whoever asks.
    first_call_at, called_at: before the first and before the newest call; None while certainly none was made.
    doubt: the outcome of an earlier call is unknown, so that a refusal of a later one proves nothing.
    refusal: the newest refusal while there is doubt.
    calls: that may have been made.   recalls: calls after a search had proven that nothing was there.
    reserved_usd: what the work costs at most.   deadline_at: after it nobody wants the answer.
    late: what becomes of a job that the provider has when nobody waits for its answer any more.
    duplicates: jobs at the provider that were one too many.
    """

    batch_id: Key
    target: Target
    request_sha256: str
    token: str
    epoch: int
    state: State
    steps: tuple[Step, ...]
    provider_job_id: str = ""
    answer: BlobRef | None = None
    fault: Fault | None = None
    first_call_at: datetime | None = None
    called_at: datetime | None = None
    doubt: bool = False
    refusal: Fault | None = None
    calls: int = 0
    recalls: int = 0
    reserved_usd: float = 0.0
    deadline_at: datetime | None = None
    cancel_asked: bool = False
    duplicates: tuple[str, ...] = ()
    late: Late = "stop"


_OPEN: Final = frozenset({"intent", "calling", "submitted", "unknown"})
_ALLOWED: Final[dict[type, frozenset[str | None]]] = {
    Intended: frozenset({None, "intent", "submitted", "unknown", "failed"}),
    TakenOver: _OPEN,
    Called: frozenset({"intent", "unknown"}),
    Uncalled: frozenset({"calling"}),
    Accepted: frozenset({"intent", "calling"}),
    Adopted: frozenset({"calling", "unknown", "parked"}),
    Retrieved: frozenset({"intent", "submitted"}),
    Refused: frozenset({"intent", "calling", "submitted", "unknown"}),
    Lost: frozenset({"intent", "calling", "submitted"}),
    Parked: frozenset({"unknown"}),
    Abandoned: frozenset({"parked"}),
    CancelAsked: _OPEN,
    Doubled: frozenset({"calling", "submitted", "unknown", "parked", "retrieved", "failed", "abandoned"}),
}
"""For each event the states that it may meet."""


def transition(current: Submission | None, event: Event, now: datetime) -> Submission:
    """The submission after an event.

    Raises:
        IllegalStep: the state does not allow the event, the event is of another epoch, the batch's id was used for
            another request, or what may be at the provider would be forgotten.
    """
    found = current.state if current is not None else None
    if found not in _ALLOWED[type(event)]:
        raise IllegalStep(f"{type(event).__name__} does not follow {found}")
    if isinstance(event, Intended):
        return _intended(current, event, now)
    if current is None or (not isinstance(event, FACTS) and event.epoch != current.epoch):
        raise IllegalStep(f"{type(event).__name__} is not of the current epoch")
    if isinstance(event, Refused | Lost) and current.calls and event.provider_job_id != _job_of(current):
        raise IllegalStep("what became of a call says nothing of a job that was found meanwhile")
    following, note = _ended(current, event) or _went_on(current, event, now)
    step = Step(state=following.state, epoch=following.epoch, at=now, note=note)
    return change(following, steps=(*current.steps, step)[-_STEPS_KEPT:])


Following = tuple[Submission, str]
"""A submission after an event, without its history, and the note for the history."""


def _ended(current: Submission, event: Event) -> Following | None:
    """After the events that say how it ended, for now or for good; None for others."""
    match event:
        case Retrieved(answer=answer):
            return change(current, state="retrieved", answer=answer), ""
        case Refused():
            return _refused(current, event)
        case Lost(note=note):
            return change(current, state="unknown", doubt=current.calls > 0), note
        case Parked(fault=fault):
            return change(current, state="parked", fault=fault), fault.code
        case Abandoned(fault=fault, note=note):
            return change(current, state="abandoned", fault=fault), note
    return None


def _went_on(current: Submission, event: Event, now: datetime) -> Following:
    match event:
        case TakenOver():
            return _taken_over(current)
        case Called(cleared=cleared):
            return _called(current, event, now), "again, for nothing was there" if cleared else ""
        case Uncalled():
            return _uncalled(current), "not called after all"
        case Accepted(provider_job_id=job_id):
            return _submitted(current, job_id), ""
        case Adopted(provider_job_id=job_id, note=note):
            return _submitted(current, job_id), note
        case CancelAsked(note=note, late=late):
            return change(current, cancel_asked=True, late=late), note
        case Doubled(provider_job_id=job_id):
            others = tuple(each for each in current.duplicates if each != job_id)
            return change(current, duplicates=(*others, job_id)[-_DUPLICATES_KEPT:]), f"one too many: {job_id}"
    raise IllegalStep(f"{type(event).__name__} is no step")


def _job_of(current: Submission) -> str:
    return current.provider_job_id if current.state == "submitted" else ""


def _taken_over(current: Submission) -> Following:
    note = f"taken over from {current.state}"
    if current.state != "calling":
        return change(current, epoch=current.epoch + 1), note
    return change(current, epoch=current.epoch + 1, state="unknown", doubt=True), note


def _called(current: Submission, event: Called, now: datetime) -> Submission:
    if current.doubt and current.provider_job_id:
        raise IllegalStep("a job that the provider had is never asked for again")
    return change(
        current,
        state="calling",
        first_call_at=current.first_call_at or now,
        called_at=now,
        calls=current.calls + 1,
        doubt=current.doubt and not event.cleared,
        recalls=current.recalls + event.cleared,
        reserved_usd=max(current.reserved_usd, event.reserved_usd),
    )


def _uncalled(current: Submission) -> Submission:
    """Back to before `Called`. What a search had cleared stays cleared: nothing was called since."""
    calls = current.calls - 1
    before = change(current, state="unknown" if current.doubt else "intent", calls=calls)
    return before if calls else change(before, first_call_at=None, called_at=None)


def _submitted(current: Submission, job_id: str) -> Submission:
    return change(current, state="submitted", provider_job_id=job_id, doubt=False, refusal=None, fault=None)


def _refused(current: Submission, event: Refused) -> tuple[Submission, str]:
    """A refusal ends the submission, unless an earlier call may have left something at the provider."""
    if current.state in ("calling", "unknown") and current.doubt and not event.cleared:
        return change(current, state="unknown", refusal=event.fault), f"refused: {event.fault.code}"
    failed = change(current, state="failed", fault=event.fault, doubt=False, refusal=None)
    return failed, event.fault.code


def _intended(current: Submission | None, event: Intended, now: datetime) -> Submission:
    if current is not None and current.request_sha256 != event.request_sha256:
        raise IllegalStep("the batch's id was used for another request")
    if current is not None and current.calls and (current.state != "failed" or current.provider_job_id):
        raise IllegalStep("what may be at a provider does not begin again")
    epoch = current.epoch + 1 if current is not None else 1
    note = event.note or (f"taken over from {current.state}" if current is not None else "")
    earlier = current.steps if current is not None else ()
    return Submission(
        batch_id=event.batch_id,
        target=event.target,
        request_sha256=event.request_sha256,
        token=token_of(event.batch_id, event.request_sha256),
        epoch=epoch,
        state="intent",
        steps=(*earlier, Step(state="intent", epoch=epoch, at=now, note=note))[-_STEPS_KEPT:],
        deadline_at=event.deadline_at,
        late=event.late,
        duplicates=current.duplicates if current is not None else (),
    )
