"""What a gateway does next with a submission: the rule of each identity, pure, and proven by a model checker.

Tests run this function and `journal.transition` through every crash, duplicate, late application and lost lease that
two gateways can meet (`tests/test_protocol_model.py`); what they prove holds for what production calls.

The load-bearing part of `tag` is the quarantine: a search that finds nothing proves nothing while a call may still be
on its way or not yet be searchable. It is longer than the longest call, plus the longest pause of a process between
its last check and its call, plus the time until the provider's search shows a job.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from quire_contracts.value import Fault
from quire_resilience.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_quantum_gateway.journal import Submission
    from quire_quantum_gateway.providers.port import Found, IdentityMode

_RECALL: Final = Backoff(base=0.5, cap=30.0)
_OVER: Final = frozenset({"failed", "cancelled", "unknown"})


@dataclass(frozen=True, slots=True)
class Rules:
    """How long doubt lasts.

    quarantine_seconds: after a call until a search that finds nothing is believed.
    searches: that found nothing, one of them after the quarantine, before it is believed.
    search_seconds: between two searches.
    recalls: calls after proofs that nothing was there; when the last of them is in doubt too, an operator looks.
    token_seconds: how long a provider is trusted to remember a token; after that it is searched as if it had none.
    recall: between calls with the same token.
    """

    quarantine_seconds: float = 300.0
    searches: int = 3
    search_seconds: float = 10.0
    recalls: int = 3
    token_seconds: float = 24 * 3600.0
    recall: Backoff = _RECALL


@dataclass(frozen=True, slots=True)
class Seen:
    """What one gateway has seen at the provider since it took a submission on; None before it has.

    since: when it took it on, or its own last call ended. The quarantine runs from here, by this gateway's monotonic
        clock: clocks of the day leap and differ, and the quarantine must not be shorter for it.
    found: by its last search.   searches: in a row that found nothing.   searched_at: before the newest of them.
    calls: whose outcome it did not learn, or that were refused for now.
    """

    since: float
    found: tuple[Found, ...] = ()
    searches: int = 0
    searched_at: float | None = None
    calls: int = 0

    def searched(self, found: Sequence[Found], at: float) -> Seen:
        """After a search that began at `at`."""
        searches = 0 if found else self.searches + 1
        return Seen(self.since, tuple(found), searches, at, self.calls)

    def called(self, at: float) -> Seen:
        """After a call that ended at `at` and did not bring a job. What was found before it may not be all any more."""
        return Seen(at, calls=self.calls + 1)


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of the day, for what is promised to others, and monotonic seconds, for what has to last."""

    now: datetime
    elapsed: float


@dataclass(frozen=True, slots=True)
class Begin:
    """Write the intent, and go on."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Write that this gateway goes on with it."""


@dataclass(frozen=True, slots=True)
class Call:
    """Write `Called`, then call the provider at once. `cleared`: see there."""

    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Ask the provider for jobs of this token."""


@dataclass(frozen=True, slots=True)
class Wait:
    """There is nothing to do for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Adopt:
    """Go on with a job that was found; `surplus` are one too many each: cancel them and raise the alarm."""

    job_id: str
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Poll:
    """Wait for the job, then fetch its answer. `unwanted`: why it is to be cancelled instead, if it can be."""

    job_id: str
    unwanted: Fault | None = None


@dataclass(frozen=True, slots=True)
class Conclude:
    """The work is certainly not at the provider, and this is why it will not be."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Park:
    """Stop, and call an operator."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Answer:
    """Say the stored answer again."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Say the stored fault again."""


Action = Begin | TakeOver | Call | Search | Wait | Adopt | Poll | Conclude | Park | Answer | Fail

PARKED: Final = Fault(
    kind="unknown",
    code="submission-parked",
    reason="nobody can say whether the provider has the work, so it is neither repeated nor sent elsewhere",
    next_step="An operator looks it up at the provider, and adopts its job or abandons it.",
    retryable=False,
)
CANCELLED: Final = Fault(
    kind="invalid", code="cancelled", reason="the work was cancelled", next_step="Submit it again.", retryable=False
)
NOT_AWAITED: Final = Fault(
    kind="capacity",
    code="not-awaited",
    reason="its job ended before the target began the work",
    next_step="Choose a later deadline or a target with a shorter queue.",
    retryable=False,
)
"""Of what is cancelled only while it waits at its provider: see `pursuit`."""

TOO_LATE: Final = Fault(
    kind="capacity",
    code="deadline-passed",
    reason="the target did not begin the work before its deadline",
    next_step="Choose a later deadline or a target with a shorter queue.",
    retryable=False,
)


def next_action(  # noqa: PLR0911 - one line for each state
    current: Submission | None, mode: IdentityMode, seen: Seen | None, moment: Moment, rules: Rules
) -> Action:
    """What a gateway does next with a batch whose journal reads so.

    Args:
        current: the journal's newest value, None if there is none.
        mode: how the target's provider knows a job again.
        seen: None for a gateway that has just found the submission in the journal.
        moment: the time, by this gateway's clocks.
        rules: how long doubt lasts.
    """
    if current is None:
        return Begin()
    if current.state == "retrieved":
        return Answer()
    if current.state in ("parked", "abandoned"):
        return Fail()
    if current.state == "failed":
        ran = bool(current.provider_job_id) and mode != "forgetful"
        transient = current.fault is not None and current.fault.kind == "transient"
        return Begin() if transient and not ran else Fail()
    if mode == "forgetful" and not current.calls:
        return Begin()
    if seen is None or current.state == "calling":  # a call that is not being made any more ended in doubt
        return TakeOver()
    fault = unwanted(current, moment.now)
    if current.state == "submitted":
        return Poll(current.provider_job_id, _not_to_run(current, fault))
    if not current.doubt:
        return Call() if fault is None else Conclude(fault)
    return _in_doubt(current, mode, seen, moment, rules)


def unwanted(current: Submission, now: datetime) -> Fault | None:
    """Why nobody wants the answer any more, or None."""
    if current.cancel_asked:
        return CANCELLED
    return TOO_LATE if current.deadline_at is not None and now >= current.deadline_at else None


def _not_to_run(current: Submission, fault: Fault | None) -> Fault | None:
    """Why a job that its provider has is to be cancelled if it can be; None where it is wanted, or left to run.

    What the gateway knows no price of costs nothing.
    """
    if fault is None or current.late == "stop":
        return fault
    return NOT_AWAITED if current.late == "unpaid" and current.reserved_usd > 0 else None


def _in_doubt(current: Submission, mode: IdentityMode, seen: Seen, moment: Moment, rules: Rules) -> Action:
    """A call was made and nobody knows what became of it, or a job was there and is not any more."""
    whole = sorted((found for found in seen.found if found.complete), key=_worth)
    if whole:
        return Adopt(whole[0].job_id, tuple(found.job_id for found in whole[1:]))
    if mode == "token" and _token_holds(current, seen, moment.now, rules):
        pause = seen.since + _pause(seen, rules) - moment.elapsed
        return Wait(pause) if pause > 0 else Call()
    if mode in ("none", "forgetful") or seen.found:
        return Park(PARKED)
    return _search(current, seen, moment, rules)


def _token_holds(current: Submission, seen: Seen, now: datetime, rules: Rules) -> bool:
    """Whether calling again with the same token is the way to find out."""
    if current.provider_job_id or current.first_call_at is None:
        return False  # its job was there and is gone: calling could make a second one
    if now >= current.first_call_at + timedelta(seconds=rules.token_seconds):
        return False
    if seen.found:
        return True  # parts of it are there: only the same call again makes it whole
    refused = current.refusal is not None and current.refusal.kind != "transient"
    return not refused and unwanted(current, now) is None


def _pause(seen: Seen, rules: Rules) -> float:
    return rules.recall.ceiling(seen.calls) if seen.calls else 0.0


def _search(current: Submission, seen: Seen, moment: Moment, rules: Rules) -> Action:
    """Search until nothing can be on its way any more; then act on what certainly is not there."""
    if seen.searched_at is None:
        return Search()
    if seen.searches >= rules.searches and seen.searched_at >= seen.since + rules.quarantine_seconds:
        return _not_there(current, moment.now, rules)
    pause = seen.searched_at + rules.search_seconds - moment.elapsed
    return Wait(pause) if pause > 0 else Search()


def _not_there(current: Submission, now: datetime, rules: Rules) -> Action:
    if current.provider_job_id:
        return Park(PARKED)  # it was accepted, so it may have been paid for
    fault = unwanted(current, now) or current.refusal
    if fault is not None:
        return Conclude(fault)
    return Call(cleared=True) if current.recalls < rules.recalls else Park(PARKED)


def _worth(found: Found) -> tuple[bool, datetime, str]:
    """Which of several jobs is kept: one that can still give an answer, then the earliest."""
    return found.status in _OVER, found.created_at, found.job_id
