"""The submission protocol, checked exhaustively: every order of everything that two gateways can meet.

The model runs `journal.transition` and `recovery.next_action`, the functions of production, over a small world: two
gateways, a broker that delivers again, a provider, an operator's cancel and a reconciler. It visits every reachable
state (breadth first): crashes anywhere, duplicate deliveries, leases lost while alive, requests that are lost, refused,
applied late or answered too late, and searches that lag. Time is counted in quarantines; one passes only when nothing
is on its way any more, which is what a quarantine's length promises.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import NamedTuple

import msgspec
import pytest

from quire_contracts.value import Fault, inline_blob
from quire_quantum_gateway import recovery
from quire_quantum_gateway.events import (
    Accepted,
    Adopted,
    Called,
    CancelAsked,
    Intended,
    Lost,
    Parked,
    Refused,
    Retrieved,
    TakenOver,
    Uncalled,
)
from quire_quantum_gateway.journal import IllegalStep, Submission, transition
from quire_quantum_gateway.providers.port import Found
from quire_quantum_gateway.recovery import Moment, Rules, Seen
from quire_resilience.backoff import Backoff

EPOCH = 1
REMEMBERED = 2  # quarantines for which a provider knows a token
MOST_QUARANTINES = 4
START = datetime(2026, 1, 1, tzinfo=UTC)
QUARANTINE = timedelta(seconds=300)
RULES = Rules(searches=2, search_seconds=0.0, token_seconds=600.0, recall=Backoff(1e-9, 1e-9))
INTENDED = Intended("b", "aws:x", "0" * 64)
ANSWER = inline_blob(b"a", "text/plain")
REFUSAL = Fault(kind="offline", code="no", reason="no", next_step="wait", retryable=True)


class Gateway(NamedTuple):
    """phase: idle, open (has read), armed (`Called` is written), waiting (its request is out), ok, lost, refused.

    fresh: the journal is as it read it, so that its compare-and-swap would win.   mine: the epoch is its own.
    """

    phase: str = "idle"
    fresh: bool = False
    mine: bool = False
    seen: Seen | None = None
    job: str = ""


IDLE = Gateway()


class World(NamedTuple):
    """journal and gateways; `jobs` are (name, when, visible); `detached` requests have nobody who waits for them.

    The next six say how much may still happen: crashes, duplicate deliveries, calls that end in silence, refusals (or
    jobs that fail), cancels, and jobs seen by the reconciler. `answers` were said to the house; `ran`: a job failed.
    """

    journal: Submission | None = None
    gateways: tuple[Gateway, ...] = (IDLE, IDLE)
    jobs: tuple[tuple[str, int, bool], ...] = ()
    detached: int = 0
    clock: int = 0
    crashes: int = 2
    duplicates: int = 1
    silences: int = 1
    refusals: int = 0
    cancels: int = 0
    sightings: int = 0
    answers: frozenset[str] = frozenset()
    ran: bool = False


class Model:
    """The world's moves for one identity. The keyword arguments are mistakes that a protocol could make."""

    def __init__(self, mode, *, decide=recovery.next_action, step=transition, settle=True, tokens="one"):
        self.mode, self.decide, self.step = mode, cache(decide), cache(step)
        self.settle, self.tokens = settle, tokens

    def moves(self, world):
        """Every world that may come next."""
        for index, gateway in enumerate(world.gateways):
            if gateway.phase == "idle":
                yield from self._deliver(world, index)
                continue
            yield from self._gateway(world, index, gateway)
            if world.crashes:
                detached = world.detached + (gateway.phase == "waiting")
                yield put(world._replace(crashes=world.crashes - 1, detached=detached), index, IDLE)
        if world.detached:
            less = world._replace(detached=world.detached - 1)
            yield from (less, self._applied(less)[0])
        for place, (name, when, visible) in enumerate(world.jobs):
            if not visible:
                yield world._replace(jobs=(*world.jobs[:place], (name, when, True), *world.jobs[place + 1 :]))
        yield from self._others(world)
        quiet = not world.detached and all(each.phase not in ("armed", "waiting") for each in world.gateways)
        if world.clock < MOST_QUARANTINES and (not self.settle or (quiet and all(each[2] for each in world.jobs))):
            yield world._replace(clock=world.clock + 1)

    def _deliver(self, world, index):
        """The broker delivers again until it is answered, and now and then although somebody is at it."""
        alone = all(gateway.phase == "idle" for gateway in world.gateways)
        unanswered = not world.answers or (world.journal is not None and world.journal.state == "submitted")
        if alone and unanswered:  # what is adopted after its answer, the reconciler has delivered again
            yield put(world, index, Gateway("open", fresh=True))
        elif world.duplicates:
            yield put(world._replace(duplicates=world.duplicates - 1), index, Gateway("open", fresh=True))

    def _gateway(self, world, index, gateway):
        write = partial(self._write, world, index, gateway)
        epoch, seen = int(gateway.mine), gateway.seen
        match gateway.phase:
            case "open" if not gateway.fresh:
                # Whatever it writes is refused, so it reads again; if its epoch is over, it leaves it to the other.
                taken = gateway.seen is not None and not gateway.mine
                yield put(world, index, IDLE if taken else gateway._replace(fresh=True))
            case "open":
                yield from self._act(world, index, gateway, write)
            case "armed":
                yield put(world, index, gateway._replace(phase="waiting"))
                yield write(Uncalled(epoch), seen)  # it was paused for too long
            case "waiting":
                after, job = self._applied(world)
                yield put(after, index, gateway._replace(phase="ok", job=job))
                if world.refusals:
                    refused = gateway._replace(phase="refused")
                    yield put(world._replace(refusals=world.refusals - 1), index, refused)
                if world.silences:
                    silent, lost = world._replace(silences=world.silences - 1), gateway._replace(phase="lost")
                    late = silent._replace(detached=silent.detached + 1)
                    yield from (put(each, index, lost) for each in (silent, late, self._applied(silent)[0]))
            case "ok":
                yield write(Accepted(epoch, gateway.job), seen)
            case "lost":
                yield write(Lost(epoch, ""), seen and Seen(elapsed(world)))
            case "refused":
                yield write(Refused(epoch, REFUSAL), seen and Seen(elapsed(world)))

    def _act(self, world, index, gateway, write):
        moment, seen = Moment(START + QUARANTINE * world.clock, elapsed(world)), gateway.seen
        match self.decide(world.journal, self.mode, seen, moment, RULES):
            case recovery.Begin():
                yield write(INTENDED, Seen(elapsed(world)))
            case recovery.TakeOver():
                yield write(TakenOver(), Seen(elapsed(world)))
            case recovery.Call(cleared=cleared):
                yield write(Called(EPOCH, cleared=cleared), seen, phase="armed")
            case recovery.Search():
                found = [
                    Found(name, "t", "x", START + QUARANTINE * when, "queued")
                    for name, when, visible in world.jobs
                    if visible
                ]
                seen = seen.searched(found, moment.elapsed)
                yield put(world, index, gateway._replace(seen=replace(seen, searches=min(seen.searches, 2))))
            case recovery.Adopt(job_id=job):
                yield write(Adopted(job, "found"), seen)
            case recovery.Poll():
                yield write(Retrieved(EPOCH, ANSWER), seen)
                if world.refusals:
                    spent = world._replace(refusals=world.refusals - 1, ran=True)
                    job = world.journal.provider_job_id
                    yield self._write(spent, index, gateway, Refused(EPOCH, REFUSAL, provider_job_id=job), seen)
            case recovery.Conclude(fault=fault):
                yield write(Refused(EPOCH, fault, cleared=True), seen)
            case recovery.Park(fault=fault):
                yield write(Parked(EPOCH, fault), seen)
            case recovery.Answer():
                yield put(world._replace(answers=world.answers | {"executed"}), index, IDLE)
            case recovery.Fail():
                said = "failed" if world.journal.state == "failed" else "parked"
                yield put(world._replace(answers=world.answers | {said}), index, IDLE)

    def _write(self, world, index, gateway, event, seen, *, phase="open"):
        """A step by compare-and-swap, as `Submissions` writes it.

        What has happened is written on the newest value while the epoch is ours; what is about to happen is decided
        anew (see "open"), and so is everything once the epoch is lost. A job that nobody waits for is still a fact.
        """
        try:
            journal, mine = self._stepped(world, event), gateway.mine or isinstance(event, Intended | TakenOver)
        except IllegalStep:
            late = isinstance(event, Accepted) and world.journal.state in ("calling", "unknown", "parked")
            if not late:
                return put(world, index, gateway._replace(phase="open", fresh=gateway.mine, job=""))
            journal, mine = self._stepped(world, Adopted(event.provider_job_id, "late")), gateway.mine
        after = others_stale(world._replace(journal=journal), index, usurped=isinstance(event, Intended | TakenOver))
        return put(after, index, Gateway(phase, fresh=mine, mine=mine, seen=seen))

    def _stepped(self, world, event):
        """The journal after an event, without what decides nothing: history, the epoch's number, times of calls."""
        journal = self.step(world.journal, event, START + QUARANTINE * world.clock)
        first = journal.first_call_at if self.mode == "token" else None
        return msgspec.structs.replace(journal, steps=(), epoch=EPOCH, called_at=None, first_call_at=first)

    def _others(self, world):
        """An operator's cancel and a reconciler, each at any time; they write by compare-and-swap on what they read."""
        if world.journal is None:
            return
        if world.cancels and world.journal.state in ("intent", "calling", "submitted", "unknown"):
            yield others_stale(world._replace(cancels=world.cancels - 1, journal=self._stepped(world, CancelAsked())))
        if world.sightings and world.journal.state in ("calling", "unknown", "parked") and self.mode != "none":
            for name in [name for name, _, visible in world.jobs if visible]:
                journal = self._stepped(world, Adopted(name, "reconciled"))
                yield others_stale(world._replace(sightings=world.sightings - 1, journal=journal))

    def _applied(self, world):
        """The provider takes a request: the same token gives the same job while it is remembered."""
        if self.mode == "token" and self.tokens == "one":
            for name, when, _ in world.jobs:
                if world.clock - when < REMEMBERED:
                    return world, name
        name = f"j{len(world.jobs)}"
        return world._replace(jobs=(*world.jobs, (name, world.clock, False))), name


def elapsed(world):
    """Seconds, by everybody's monotonic clock; differences between clocks of the day do not matter to the protocol."""
    return QUARANTINE.total_seconds() * world.clock


def put(world, index, gateway):
    """The world with this gateway; the gateways have no names, so their order is none."""
    one, two = (gateway, world.gateways[1 - index])
    return world._replace(gateways=(one, two) if hash(one) < hash(two) else (two, one))


def others_stale(world, index=None, *, usurped=False):
    """After a write: nobody else's reading is the newest, and after a new epoch nobody else's epoch either."""
    return world._replace(
        gateways=tuple(
            each
            if place == index or each.phase == "idle"
            else each._replace(fresh=False, mine=each.mine and not usurped)
            for place, each in enumerate(world.gateways)
        )
    )


def wrong_with(world):
    """What no world may be, or None."""
    if len(world.jobs) > 1:
        return "two jobs"
    if "failed" in world.answers and not world.ran and world.jobs:
        return "said to have failed, and so sent elsewhere, with a job at the provider"
    if "executed" in world.answers and not world.jobs:
        return "an answer without a job"
    return None


def explore(model, start, most=300_000):
    """(states, what went wrong or None): every state, or those before the first wrong one."""
    known, edge = {start}, [start]
    while edge:
        following = []
        for world in edge:
            moved = False
            for after in model.moves(world):
                moved, before = True, len(known)
                known.add(after)
                if len(known) == before:
                    continue
                wrong = wrong_with(after)
                if wrong is not None:
                    return len(known), wrong
                following.append(after)
            if not moved and world.journal.state not in ("retrieved", "failed", "parked"):
                return len(known), f"stuck in {world.journal.state}"
        edge = following
        assert len(known) < most, "the model has grown beyond what a test can visit"
    return len(known), None


MODES = ("token", "tag", "none")
WORLDS = {
    "two crashes and a duplicate": World(crashes=2, duplicates=1, silences=1),
    "silences": World(crashes=0, duplicates=0, silences=2, refusals=1),
    "refusals": World(crashes=1, duplicates=0, silences=1, refusals=1),
    "a cancel": World(crashes=1, duplicates=0, silences=1, cancels=1),
    "a reconciler": World(crashes=1, duplicates=0, silences=1, sightings=1, refusals=1),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("world", WORLDS)
def test_the_protocol_never_submits_twice_and_always_ends(mode, world):
    states, wrong = explore(Model(mode), WORLDS[world])
    assert wrong is None
    assert states > 300  # it looked


def again_without_a_search(current, mode, seen, moment, rules):
    act = recovery.next_action(current, mode, seen, moment, rules)
    return recovery.Call() if isinstance(act, recovery.Search) else act


def one_search_is_enough(current, mode, seen, moment, rules):
    return recovery.next_action(current, mode, seen, moment, replace(rules, quarantine_seconds=0.0, searches=1))


def call_instead_of_parking(current, mode, seen, moment, rules):
    act = recovery.next_action(current, mode, seen, moment, rules)
    return recovery.Call(cleared=True) if isinstance(act, recovery.Park) else act


def trust_in_tokens_for_ever(current, mode, seen, moment, rules):
    return recovery.next_action(current, mode, seen, moment, replace(rules, token_seconds=10.0**7))


def the_call_is_not_written(current, event, now):
    """As a protocol does it that has an intent, but not the word that the call begins."""
    if isinstance(event, Called):
        return current
    if isinstance(event, Accepted) and current.state == "intent":
        return msgspec.structs.replace(current, state="submitted", provider_job_id=event.provider_job_id, calls=1)
    return transition(current, event, now)


def a_refusal_is_a_failure(current, event, now):
    if isinstance(event, Refused):
        event = replace(event, cleared=True)
    return transition(current, event, now)


def silence_is_a_failure(current, event, now):
    if isinstance(event, Lost):
        event = Refused(event.epoch, REFUSAL, cleared=True)
    return transition(current, event, now)


def a_refused_call_ends_a_found_job(current, event, now):
    if isinstance(event, Refused):
        event = replace(event, provider_job_id=current.provider_job_id)
    return transition(current, event, now)


TWO = "two jobs"
ELSEWHERE = "said to have failed, and so sent elsewhere, with a job at the provider"


@pytest.mark.parametrize(
    ("mode", "mistake", "start", "verdict"),
    [
        ("tag", {"decide": again_without_a_search}, World(), TWO),
        ("tag", {"decide": one_search_is_enough}, World(), TWO),
        ("tag", {"settle": False}, World(), TWO),
        ("tag", {"step": the_call_is_not_written}, World(), TWO),
        ("none", {"step": the_call_is_not_written}, World(), TWO),
        ("none", {"decide": call_instead_of_parking}, World(), TWO),
        ("token", {"tokens": "new for each call"}, World(), TWO),
        ("token", {"decide": trust_in_tokens_for_ever}, World(), TWO),
        ("token", {"step": a_refusal_is_a_failure}, World(refusals=1), ELSEWHERE),
        ("none", {"step": silence_is_a_failure}, World(), ELSEWHERE),
        ("token", {"step": a_refused_call_ends_a_found_job}, WORLDS["a reconciler"], ELSEWHERE),
    ],
)
def test_each_mistake_is_found(mode, mistake, start, verdict):
    """So that the model can fail."""
    _, wrong = explore(Model(mode, **mistake), start, most=10**6)
    assert wrong == verdict
