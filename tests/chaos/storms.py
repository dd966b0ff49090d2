"""Providers that fail: a storm of errors at one while another stays well, and all of them away for a minute."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from operator import itemgetter

import msgspec
from clouds import FORTE
from job_laws import Lives, read_lives
from measure import quantile
from scenarios import House, Trial, house, submitting, tell, verdicts
from stored import how_many, last_sequence, stored, until_ended
from upstreams import Publisher, Wanted, jobs

from quire_emulator.entries import Applied, Called, Entry
from quire_emulator.rules import Rule

SICK, WELL = "aws:forte", "ibm:ibm_manila"
AWAY_FROM, AWAY_FOR, AWAY_EVERY = 20.0, 10.0, 40.0
"""When the sick device is away, for how long, and how often, in seconds."""

SICK_API = "braket"
UNHARMED = 0.7 * 0.98
"""The share of creates that the storm neither fails nor leaves without an answer."""

ACCEPTED_SECONDS = 10.0
CLASSES = ("production", "validation", "research")
SOON, LATE = 240.0, 600.0
"""Deadlines of waiting jobs, in seconds from the return of the backends."""


def storm() -> list[Rule]:
    """30 % of 5xx, bursts of 429, times away, and 2 % that are applied and not answered."""
    often = frozenset({"create", "get", "search", "result"})
    return [
        Rule(kind="timeout-applied", device=FORTE, rate=0.02, answer="cut", id="applied"),
        Rule(kind="error", device=FORTE, operations=often, rate=0.3, status=503, id="5xx"),
        Rule(kind="throttle", device=FORTE, operations=frozenset({"create", "get"}), retry_after=2.0, until=3.0,
             every=20.0, id="429"),
        Rule(kind="offline", device=FORTE, after=AWAY_FROM, until=AWAY_FROM + AWAY_FOR, every=AWAY_EVERY, id="away"),
    ]  # fmt: skip


async def provider_storm(trial: Trial) -> None:
    """Criterion 3: what a storm at one provider costs, beside the same load without one."""
    count, rate = trial.size("jobs"), trial.sizes["rate"]
    half = {SICK: 0.5, WELL: 0.5}
    before = list(jobs(trial.seed, max(20, count // 5), half))
    during = list(jobs(trial.seed + 1, count, half))
    async with house(trial) as home:
        async with submitting(trial, home, list(jobs(trial.seed + 2, 20, half)), rate):
            pass  # the first jobs pay for what is done once
        calm_from = len(home.cloud.entries())
        async with submitting(trial, home, before, rate):
            pass
        calm_to = len(home.cloud.entries())
        after, began = await last_sequence(home.url), time.time()
        home.cloud.arm(*storm())
        done = Publisher(home.url, during, rate)
        await done.run()
        last = time.time()
        await until_ended(home.url, 20 + len(before) + len(during), seconds=300)
        home.cloud.disarm()
        entries = home.cloud.entries()
        lives = await read_lives(home.url)
        times = {"calm": entries[calm_from:calm_to], "storm": entries[calm_to:]}
        ratios = {}
        for api in ("", SICK_API):
            costs = {name: _costs(part, api) for name, part in times.items()}
            for name, cost in costs.items():
                trial.report.row(time=name, provider=api or "all", **cost)
            ratios[api] = costs["storm"]["calls/job"] / costs["calm"]["calls/job"]
        # A call that must succeed is needed 1 / (1 - p) times where a share p fails, whoever makes it: the rest is us.
        of_the_unavoidable = ratios[SICK_API] * UNHARMED
        trial.report.row(provider=SICK_API, storm_over_calm=ratios[SICK_API], of_the_unavoidable=of_the_unavoidable)
        trial.holds("provider calls for each needed call (what the calm took for a job)", ratios[""], 1.3)
        trial.holds("the same at the sick provider alone", ratios[SICK_API], 1.3)
        trial.holds("calls at the sick provider over the unavoidable ones", of_the_unavoidable, 1.3)
        _healthy(trial, lives, before, during)
        await _breaker(trial, home, after, began, last, entries[calm_to:])
        await verdicts(trial, home, [*before, *during], classical=True, failures=True)


def _costs(entries: Sequence[Entry], api: str) -> dict[str, float]:
    called = [each for each in entries if isinstance(each, Called) and each.api == (api or each.api)]
    jobs_made = sum(isinstance(each, Applied) and each.order.api == (api or each.order.api) for each in entries)
    of = Counter(each.operation for each in called)
    useless = sum(bool(each.fault) for each in called)
    return {
        "provider jobs": jobs_made,
        "calls": len(called),
        "calls/job": len(called) / max(1, jobs_made),
        "creates/job": of["create"] / max(1, jobs_made),
        "faults": useless,
        "probes": of["device"],
    }


def _healthy(trial: Trial, lives: Lives, before: Sequence[Wanted], during: Sequence[Wanted]) -> None:
    def seconds(wanted: Sequence[Wanted]) -> list[float]:
        found = (lives.of[each.job] for each in wanted if each.target == WELL and each.job in lives.of)
        return [life.ends[0][1] - life.submitted_at for life in found if life.ends]

    calm, stormy = seconds(before), seconds(during)
    trial.report.row(
        healthy=WELL, calm_p50=quantile(calm, 0.5), calm_p99=quantile(calm, 0.99), storm_p50=quantile(stormy, 0.5),
        storm_p99=quantile(stormy, 0.99),
    )  # fmt: skip
    trial.holds("healthy backend's p99, storm / calm", quantile(stormy, 0.99) / quantile(calm, 0.99), 1.5)


class Scope(msgspec.Struct, frozen=True):
    """Which calls a breaker stands for."""

    provider: str = "any"
    device: str = "any"
    operation: str = "any"


class _Breaker(msgspec.Struct):
    scope: Scope
    at: datetime


Told = tuple[float, str, Scope]
"""When a breaker came to be what, and which one."""


async def _breaker(trial: Trial, home: House, after: int, began: float, last: float, entries: Sequence[Entry]) -> None:
    """How soon the breaker was open in each time away, and how many probes each half-opening cost."""
    decoder, told = msgspec.json.Decoder(_Breaker), list[Told]()
    async for message in stored(home.url, ["quire.evt.*.breaker.*.v1.*"], after=after):
        event = decoder.decode(message.data)
        told.append((event.at.timestamp(), message.subject.split(".")[4], event.scope))
    told.sort(key=itemgetter(0))
    delays, away_from = [], began + AWAY_FROM
    while away_from + AWAY_FOR <= last:
        state, seen = "closed", None
        for at, verb, _ in told:
            if at <= away_from:
                state = verb
            elif verb == "opened" and at <= away_from + AWAY_FOR + 10:
                seen = at - away_from
                break
        delays.append(0.0 if state in ("opened", "half-opened") else seen if seen is not None else float("inf"))
        away_from += AWAY_EVERY
    # While calls are made, the device is asked as well: every five minutes for its calibration.
    asked = sum(
        isinstance(each, Called) and (each.api, each.operation) == (SICK_API, "device") and start <= each.at <= end
        for start, end in refusing(told)
        for each in entries
    )
    of = Counter(verb for _, verb, _ in told)
    trial.report.row(
        times_away=len(delays), opened_within_s=str([round(each, 1) for each in delays]), opened=of["opened"],
        half_opened=of["half-opened"], closed=of["closed"], probes=asked,
    )  # fmt: skip
    if delays:
        trial.holds("seconds until the breaker is open, longest", max(delays), 10)
    trial.holds("free calls for each half-opening", asked / max(1, of["half-opened"]), 1.5)


def refusing(told: Sequence[Told]) -> list[tuple[float, float]]:
    """From when to when calls were refused: from the opening of a breaker until all are closed."""
    found, begun, barred = list[tuple[float, float]](), 0.0, set[Scope]()
    for at, verb, scope in told:
        if verb != "closed":
            begun = begun if barred else at
            barred.add(scope)
        elif barred == {scope}:
            found.append((begun, at))
            barred.clear()
        else:
            barred.discard(scope)
    return [*found, (begun, float("inf"))] if barred else found


async def all_down(trial: Trial) -> None:
    """Criterion 7: every backend away for a while; work is taken and prepared, and drains by class and deadline."""
    count, seconds = trial.size("jobs"), trial.sizes["seconds"]
    both = {SICK: 0.5, WELL: 0.5}
    groups = [(priority, deadline) for priority in CLASSES for deadline in (SOON, LATE)]
    wanted = [
        each
        for number, (priority, deadline) in enumerate(groups)
        for each in jobs(
            trial.seed + number, count // len(groups), both, priority=priority, deadline_seconds=seconds + deadline
        )
    ]
    trial.order.shuffle(wanted)
    urgent = _urgent(trial, max(3, count // 50))
    async with house(trial) as home:
        home.cloud.arm(Rule(kind="offline", id="all"))
        began = time.monotonic()
        publisher = Publisher(home.url, [*wanted, *urgent])
        await publisher.run()
        everything = len(wanted) + len(urgent)
        prepared = await _reached(home, "quire.evt.*.job.prepared.v1.*", everything, began, seconds)
        tell(f"all-down: {everything} jobs prepared after {prepared:.1f} s")
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        early, back = await how_many(home.url), time.time()
        home.cloud.disarm()
        drained = await until_ended(home.url, everything, seconds=300)
        lives = await read_lives(home.url)
        trial.report.row(
            jobs=everything, prepared_s=prepared, ended_while_away=early, drained_s=time.time() - back,
            all_ended=str(drained),
        )  # fmt: skip
        trial.holds("seconds until all are accepted and prepared", prepared, seconds)
        _in_order(trial, lives, wanted, back, seconds)
        _answered(trial, lives, urgent)
        await verdicts(trial, home, wanted, failures=True)


def _urgent(trial: Trial, count: int) -> list[Wanted]:
    """Customer-facing jobs that have a classical answer: an optimisation with a deadline."""
    made = []
    for each in jobs(trial.seed + 9, count, {SICK: 1.0}):
        ring = [[node, (node + 1) % 4, 1.0] for node in range(4)]
        document = {
            "kind": "optimize", "problem": {"type": "maxcut", "edges": ring}, "priority": "customer-facing",
            "deadline_seconds": 30.0, "targets": [SICK], "shots": 64,
            "algorithm": {"name": "qaoa", "layers": 1, "sweep": 4, "optimizer": {"name": "spsa", "rounds": 2}},
        }  # fmt: skip
        each.document, each.priority = msgspec.json.encode(document), "customer-facing"
        made.append(each)
    return made


async def _reached(home: House, subject: str, count: int, began: float, seconds: float) -> float:
    while await how_many(home.url, [subject]) < count and time.monotonic() < began + seconds:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.5)
    if await how_many(home.url, [subject]) < count:
        return float("inf")
    return time.monotonic() - began


def _in_order(trial: Trial, lives: Lives, wanted: Sequence[Wanted], back: float, seconds: float) -> None:
    """When the jobs of each class ended, from the return of the backends; each of these drains by itself."""
    by_class, by_deadline = list[float](), list[float]()
    for target in sorted({each.target for each in wanted}):
        middle = list[float]()
        for priority in CLASSES:
            ends, near, far = list[float](), list[float](), list[float]()
            for each in wanted:
                if (each.target, each.priority) == (target, priority) and (life := lives.of[each.job]).ends:
                    end = life.ends[0][1] - back
                    soon = msgspec.json.decode(each.document)["deadline_seconds"] < seconds + LATE
                    ends.append(end)
                    (near if soon else far).append(end)
            middle.append(quantile(ends, 0.5))
            by_deadline.append(quantile(near, 0.5) / quantile(far, 0.5))
            trial.report.row(
                drained=priority, of=target, jobs=len(ends), p10_s=quantile(ends, 0.1), p50_s=middle[-1],
                p90_s=quantile(ends, 0.9), near_p50_s=quantile(near, 0.5), far_p50_s=quantile(far, 0.5),
            )  # fmt: skip
        by_class += [first / second for first, second in pairwise(middle)]
    trial.holds("median end of a class / the next one, worst of both backends", max(by_class), 1)
    trial.holds("median end of near deadlines / far ones, worst class and backend", max(by_deadline), 1)


def _answered(trial: Trial, lives: Lives, urgent: Sequence[Wanted]) -> None:
    """Customer-facing jobs: answered classically, in time, and marked."""
    late = unmarked = 0
    for each in urgent:
        life = lives.of.get(each.job)
        if life is None or not life.ends or life.ends[0][0] != "completed":
            late += 1
            continue
        late += life.ends[0][1] - life.submitted_at > 30.0 + ACCEPTED_SECONDS
        unmarked += not (life.ends[0][2].degraded and life.ends[0][2].reason)
    trial.report.row(customer_facing=len(urgent), not_in_time=late, not_marked=unmarked)
    trial.holds("customer-facing jobs without an answer in time", late, 0)
    trial.holds("classical answers not marked degraded with a reason", unmarked, 0)
