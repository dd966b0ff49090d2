"""What a gateway does next, identity by identity; that it is safe is proven by the model."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from quire_contracts.value import Fault, inline_blob
from quire_quantum_gateway.events import (
    Accepted,
    Called,
    CancelAsked,
    Intended,
    Lost,
    Parked,
    Refused,
    Retrieved,
    TakenOver,
)
from quire_quantum_gateway.journal import transition
from quire_quantum_gateway.providers.port import Found
from quire_quantum_gateway.recovery import (
    CANCELLED,
    PARKED,
    TOO_LATE,
    Adopt,
    Answer,
    Begin,
    Call,
    Conclude,
    Fail,
    Moment,
    Park,
    Poll,
    Rules,
    Search,
    Seen,
    TakeOver,
    Wait,
    next_action,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = 301.0
RULES = Rules(recalls=1)
INTENDED = Intended("b1", "aws:x", "0" * 64, deadline_at=NOW + timedelta(days=2))
LOST = (Called(1), Lost(1, "cut"))
SEARCHED = Seen(0.0, searches=3, searched_at=LATER)


def at(moment):
    """Seconds after all clocks were set, or a time of the day much later."""
    return Moment(NOW, moment) if isinstance(moment, float) else Moment(moment, (moment - NOW).total_seconds())


def fault(kind):
    return Fault(kind=kind, code="no", reason="it failed", next_step="wait", retryable=False)


def follow(*events):
    current = transition(None, INTENDED, NOW)
    for event in events:
        current = transition(current, event, NOW)
    return current


def found(job_id, *, seconds=0, status="queued", complete=True):
    return Found(job_id, "t", "x", NOW + timedelta(seconds=seconds), status, complete)


@pytest.mark.parametrize("mode", ["forgetful", "token", "tag", "none"])
@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((Called(1), Accepted(1, "j"), Retrieved(1, inline_blob(b"a", "text/plain"))), Answer()),
        ((Refused(1, fault("invalid")),), Fail()),
        ((Refused(1, fault("transient")),), Begin()),
        ((Called(1), Refused(1, fault("transient"))), Begin()),
        ((*LOST, Parked(1, PARKED)), Fail()),
    ],
)
def test_what_is_over_is_over_for_every_identity(mode, events, expected):
    assert next_action(follow(*events), mode, None, at(0.0), RULES) == expected


def test_what_nobody_knows_of_begins():
    assert next_action(None, "tag", None, at(0.0), RULES) == Begin()


def test_jobs_that_die_with_their_process_begin_again():
    for events in ((), (Accepted(1, "local"),), (Lost(1, "KeyError"),)):
        assert next_action(follow(*events), "forgetful", None, at(0.0), RULES) == Begin()


def test_a_job_that_ran_and_failed_is_not_run_again_under_its_name():
    ran = follow(Called(1), Accepted(1, "j"), Refused(1, fault("transient"), provider_job_id="j"))
    assert next_action(ran, "token", None, at(0.0), RULES) == Fail()


@pytest.mark.parametrize("events", [(), (Called(1),), LOST, (Called(1), Accepted(1, "j"))])
def test_who_finds_it_takes_it_over_first(events):
    assert next_action(follow(*events), "token", None, at(0.0), RULES) == TakeOver()


@pytest.mark.parametrize(
    ("events", "mode", "seen", "now", "expected"),
    [
        # nothing in doubt
        ((), "none", Seen(0.0), 0.0, Call()),
        ((TakenOver(),), "none", Seen(0.0), 0.0, Call()),
        ((Called(1), Accepted(1, "j")), "none", Seen(0.0), 0.0, Poll("j")),
        # token: again with the same token, by and by
        (LOST, "token", Seen(0.0), 0.0, Call()),
        (LOST, "token", Seen(0.0, calls=1), 0.0, Wait(0.5)),
        (LOST, "token", Seen(0.0, calls=3), 2.0, Call()),
        ((*LOST, Called(1), Refused(1, fault("transient"))), "token", Seen(0.0), 0.0, Call()),
        # token: a refusal proves nothing of an earlier call, and an old token may be forgotten
        ((*LOST, Called(1), Refused(1, fault("offline"))), "token", Seen(0.0), 0.0, Search()),
        ((*LOST, Called(1), Refused(1, fault("offline"))), "token", SEARCHED, LATER, Conclude(fault("offline"))),
        (LOST, "token", Seen(0.0), NOW + timedelta(hours=24), Search()),
        (LOST, "token", SEARCHED, LATER, Call()),
        # tag: search, wait out the quarantine, call once, and then no more
        (LOST, "tag", Seen(0.0), 0.0, Search()),
        (LOST, "tag", Seen(0.0, searches=1, searched_at=0.0), 0.0, Wait(10.0)),
        (LOST, "tag", Seen(0.0, searches=9, searched_at=0.0), LATER, Search()),
        (LOST, "tag", Seen(0.0, searches=2, searched_at=LATER), LATER + 10.0, Search()),
        (LOST, "tag", SEARCHED, LATER, Call(cleared=True)),
        ((*LOST, Called(1, cleared=True), Lost(1, "cut")), "tag", SEARCHED, LATER, Park(PARKED)),
        # none
        (LOST, "none", Seen(0.0), 0.0, Park(PARKED)),
        # found
        (LOST, "tag", Seen(0.0, found=(found("j"),)), 0.0, Adopt("j")),
        (LOST, "tag", Seen(0.0, found=(found("b", seconds=2), found("a", seconds=1))), 0.0, Adopt("a", ("b",))),
        (LOST, "tag", Seen(0.0, found=(found("a", status="failed"), found("b", seconds=1))), 0.0, Adopt("b", ("a",))),
        # parts of it
        (LOST, "token", Seen(0.0, found=(found("a", complete=False),)), 0.0, Call()),
        (LOST, "tag", Seen(0.0, found=(found("a", complete=False),)), 0.0, Park(PARKED)),
        # it was there and is gone
        ((Called(1), Accepted(1, "j"), Lost(1, "gone", "j")), "token", Seen(0.0), 0.0, Search()),
        ((Called(1), Accepted(1, "j"), Lost(1, "gone", "j")), "token", SEARCHED, LATER, Park(PARKED)),
        # nobody wants it any more
        ((CancelAsked(),), "tag", Seen(0.0), 0.0, Conclude(CANCELLED)),
        ((), "tag", Seen(0.0), NOW + timedelta(days=2), Conclude(TOO_LATE)),
        ((Called(1), Accepted(1, "j"), CancelAsked()), "tag", Seen(0.0), 0.0, Poll("j", CANCELLED)),
        ((*LOST, CancelAsked()), "token", Seen(0.0), 0.0, Search()),
        ((*LOST, CancelAsked()), "tag", SEARCHED, LATER, Conclude(CANCELLED)),
        ((*LOST, CancelAsked()), "none", Seen(0.0), 0.0, Park(PARKED)),
    ],
)  # fmt: skip
def test_the_rule_of_each_identity(events, mode, seen, now, expected):
    assert next_action(follow(*events), mode, seen, at(now), RULES) == expected


def test_a_call_that_nobody_makes_any_more_is_taken_over_even_by_its_own_gateway():
    assert next_action(follow(Called(1)), "token", Seen(0.0), at(0.0), RULES) == TakeOver()


def test_what_was_seen_grows_until_something_else_is_seen():
    seen = Seen(1.0, calls=2).searched((), 5.0).searched((), 6.0)
    assert (seen.since, seen.searches, seen.searched_at, seen.calls) == (1.0, 2, 6.0, 2)
    assert seen.searched((found("a"),), 7.0).searches == 0
    assert seen.called(8.0) == Seen(8.0, calls=3)


def test_a_clock_of_the_day_that_leaps_shortens_no_quarantine():
    """It may be an hour later all of a sudden, or by another gateway's clock."""
    leapt = Moment(NOW + timedelta(hours=1), 20.0)
    assert next_action(follow(*LOST), "tag", Seen(0.0, searches=9, searched_at=15.0), leapt, RULES) == Wait(5.0)
    assert next_action(follow(*LOST), "tag", Seen(0.0, searches=9, searched_at=5.0), leapt, RULES) == Search()


@pytest.mark.parametrize("events", [(CancelAsked("enough"),), ()], ids=["cancelled", "late"])
@pytest.mark.parametrize(
    ("late", "usd", "code"),
    [("keep", 9.0, None), ("unpaid", 0.0, None), ("unpaid", 9.0, "not-awaited"), ("stop", 0.0, "cancelled")],
)
def test_what_a_provider_has_is_left_to_run_as_its_job_says(events, late, usd, code):
    intended = dataclasses.replace(INTENDED, late=late)
    current = transition(None, intended, NOW)
    asked = [dataclasses.replace(event, late=late) for event in events]
    for event in (Called(1, usd), Accepted(1, "j"), *asked):
        current = transition(current, event, NOW)
    action = next_action(current, "token", Seen(0.0), at(NOW + timedelta(days=2)), RULES)
    if code == "cancelled" and not events:
        code = "deadline-passed"
    assert action.job_id == "j"
    assert (action.unwanted.code if action.unwanted else None) == code


@pytest.mark.parametrize("late", ["keep", "unpaid", "stop"])
def test_what_no_provider_has_yet_is_not_sent_there_whatever_its_job_says(late):
    current = transition(transition(None, INTENDED, NOW), CancelAsked("enough", late), NOW)
    assert next_action(current, "token", Seen(0.0), at(0.0), RULES) == Conclude(CANCELLED)
