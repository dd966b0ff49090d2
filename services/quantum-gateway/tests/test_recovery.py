"""What a gateway does next, identity by identity; that it is safe is proven by the model."""

from __future__ import annotations

from dataclasses import replace
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
LATER = NOW + timedelta(seconds=301)
RULES = Rules()
INTENDED = Intended("b1", "aws:x", "0" * 64, deadline_at=NOW + timedelta(days=2))
LOST = (Called(1), Lost(1, "cut"))
SEARCHED = Seen(searches=3, searched_at=LATER)


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
    assert next_action(follow(*events), mode, None, NOW, RULES) == expected


def test_what_nobody_knows_of_begins():
    assert next_action(None, "tag", None, NOW, RULES) == Begin()


def test_jobs_that_die_with_their_process_begin_again():
    for events in ((), (Accepted(1, "local"),), (Lost(1, "KeyError"),)):
        assert next_action(follow(*events), "forgetful", None, NOW, RULES) == Begin()


def test_a_job_that_ran_and_failed_is_not_run_again_under_its_name():
    ran = follow(Called(1), Accepted(1, "j"), Refused(1, fault("transient"), provider_job_id="j"))
    assert next_action(ran, "token", None, NOW, RULES) == Fail()


@pytest.mark.parametrize("events", [(), (Called(1),), LOST, (Called(1), Accepted(1, "j"))])
def test_who_finds_it_takes_it_over_first(events):
    assert next_action(follow(*events), "token", None, NOW, RULES) == TakeOver()


@pytest.mark.parametrize(
    ("events", "mode", "seen", "now", "expected"),
    [
        # nothing in doubt
        ((), "none", Seen(), NOW, Call()),
        ((TakenOver(),), "none", Seen(), NOW, Call()),
        ((Called(1), Accepted(1, "j")), "none", Seen(), NOW, Poll("j")),
        # token: again with the same token, by and by
        (LOST, "token", Seen(), NOW, Call()),
        (LOST, "token", Seen(calls=1), NOW, Wait(NOW + timedelta(seconds=0.5))),
        (LOST, "token", Seen(calls=3), NOW + timedelta(seconds=2), Call()),
        ((*LOST, Called(1), Refused(1, fault("transient"))), "token", Seen(), NOW, Call()),
        # token: a refusal proves nothing of an earlier call, and an old token may be forgotten
        ((*LOST, Called(1), Refused(1, fault("offline"))), "token", Seen(), NOW, Search()),
        ((*LOST, Called(1), Refused(1, fault("offline"))), "token", SEARCHED, LATER, Conclude(fault("offline"))),
        (LOST, "token", Seen(), NOW + timedelta(hours=24), Search()),
        (LOST, "token", SEARCHED, LATER, Call()),
        # tag: search, wait out the quarantine, call once, and then no more
        (LOST, "tag", Seen(), NOW, Search()),
        (LOST, "tag", Seen(searches=1, searched_at=NOW), NOW, Wait(NOW + timedelta(seconds=10))),
        (LOST, "tag", Seen(searches=9, searched_at=NOW), LATER, Search()),
        (LOST, "tag", Seen(searches=2, searched_at=LATER), LATER + timedelta(seconds=10), Search()),
        (LOST, "tag", SEARCHED, LATER, Call(cleared=True)),
        ((*LOST, Called(1, cleared=True), Lost(1, "cut")), "tag", SEARCHED, LATER, Park(PARKED)),
        # none
        (LOST, "none", Seen(), NOW, Park(PARKED)),
        # found
        (LOST, "tag", Seen(found=(found("j"),)), NOW, Adopt("j")),
        (LOST, "tag", Seen(found=(found("b", seconds=2), found("a", seconds=1))), NOW, Adopt("a", ("b",))),
        (LOST, "tag", Seen(found=(found("a", status="failed"), found("b", seconds=1))), NOW, Adopt("b", ("a",))),
        # parts of it
        (LOST, "token", Seen(found=(found("a", complete=False),)), NOW, Call()),
        (LOST, "tag", Seen(found=(found("a", complete=False),)), NOW, Park(PARKED)),
        # it was there and is gone
        ((Called(1), Accepted(1, "j"), Lost(1, "gone", "j")), "token", Seen(), NOW, Search()),
        ((Called(1), Accepted(1, "j"), Lost(1, "gone", "j")), "token", SEARCHED, LATER, Park(PARKED)),
        # nobody wants it any more
        ((CancelAsked(),), "tag", Seen(), NOW, Conclude(CANCELLED)),
        ((), "tag", Seen(), NOW + timedelta(days=2), Conclude(TOO_LATE)),
        ((Called(1), Accepted(1, "j"), CancelAsked()), "tag", Seen(), NOW, Poll("j", CANCELLED)),
        ((*LOST, CancelAsked()), "token", Seen(), NOW, Search()),
        ((*LOST, CancelAsked()), "tag", SEARCHED, LATER, Conclude(CANCELLED)),
        ((*LOST, CancelAsked()), "none", Seen(), NOW, Park(PARKED)),
    ],
)  # fmt: skip
def test_the_rule_of_each_identity(events, mode, seen, now, expected):
    assert next_action(follow(*events), mode, seen, now, RULES) == expected


def test_a_call_that_nobody_makes_any_more_is_taken_over_even_by_its_own_gateway():
    assert next_action(follow(Called(1)), "token", Seen(), NOW, RULES) == TakeOver()


def test_what_was_seen_grows_until_something_else_is_seen():
    seen = Seen(calls=2).searched((), NOW).searched((), LATER)
    assert (seen.searches, seen.searched_at, seen.calls) == (2, LATER, 2)
    assert seen.searched((found("a"),), LATER).searches == 0
    assert seen.called() == replace(Seen(), calls=3)
