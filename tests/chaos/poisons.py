"""Messages that cannot be handled, and messages that come again, later and in another order."""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
from job_laws import judge, read_lives
from measure import quantile
from nats.aio.msg import Msg
from provider_laws import audit, read_journal
from scenarios import MIX, House, Trial, house, laws, submitting, verdicts
from stored import how_many, stored
from upstreams import jobs, steady

from quire_contracts.flow import hears
from quire_contracts.intake import SHARED_TENANT
from quire_contracts.registry import REGISTRY
from quire_contracts.topology import CONSUMERS

IDLE_SECONDS = 20.0


async def poison(trial: Trial) -> None:
    """Criterion 8: messages nobody can handle, of every kind that services consume, beside a steady load."""
    count, rate = trial.size("jobs"), trial.sizes["rate"]
    before, during = list(jobs(trial.seed, count, MIX)), list(jobs(trial.seed + 1, count, MIX))
    async with house(trial) as home:
        async with submitting(trial, home, list(jobs(trial.seed + 2, 40, MIX)), rate):
            pass
        async with submitting(trial, home, before, rate):
            pass
        bad = list(poisons(trial.order, trial.size("poisons")))
        began = time.time()
        client = await steady(home.url)
        async with submitting(trial, home, during, rate):
            for subject, headers, body in bad:
                await client.publish(subject, body, headers=headers)
                await asyncio.sleep(0.2)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if await how_many(home.url, ["quire.dead.>"], stream="QUIRE_DEAD") >= len(bad):
                break
            await asyncio.sleep(0.5)
        await client.close()
        letters = [message async for message in stored(home.url, ["quire.dead.>"], stream="QUIRE_DEAD")]
        reasons = Counter((message.headers or {}).get("quire-error-code", "") for message in letters)
        late = [message.metadata.timestamp.timestamp() - began for message in letters]
        busy = await _busiest(home)
        lives = await read_lives(home.url)
        calm = judge(lives, before).seconds
        ill = judge(lives, during).seconds
        ratio = quantile(ill, 0.99) / quantile(calm, 0.99)
        trial.report.row(
            poisons=len(bad), dead_letters=len(letters), reasons=str(dict(reasons)), calm_p99=quantile(calm, 0.99),
            beside_poison_p99=quantile(ill, 0.99), busiest_process=str(busy), last_after_s=max(late, default=0.0),
        )  # fmt: skip
        trial.holds("poisons that were not isolated within 60 s", len(bad) - len(letters), 0)
        trial.holds("dead letters without a reason", reasons[""], 0)
        trial.holds("other jobs' p99, with / without", ratio, 1.5)
        trial.holds("share of a core that the busiest process takes afterwards", busy[1], 0.2)
        await verdicts(trial, home, [*before, *during])


def poisons(order: random.Random, count: int) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Messages for everything that services consume: no JSON, another type, a version nobody knows, no body."""
    services = [each for each in CONSUMERS if each.service != "ledger"]
    kinds = [each for each in REGISTRY if not each.raw and any(hears(consumer, each) for consumer in services)]
    for number in range(count):
        entry, key = kinds[number % len(kinds)], str(uuid.UUID(int=order.getrandbits(128), version=4))
        subject = entry.subject_for("chaos-0" if entry.tenant else SHARED_TENANT, key)
        headers = {"ce-specversion": "1.0", "ce-id": key, "ce-source": "/poison", "ce-type": entry.type}
        body = order.choice((b"\xff\xfe not JSON", b"[]", b"null", b'{"job_id": 7}', b"{" * 5000, b""))
        if number % 5 == 4:
            headers["ce-type"] = "io.quire.job.unheard-of.v9"
        yield subject, headers, body


async def _busiest(home: House) -> tuple[str, float]:
    """The service process that takes most of a core while nothing is to be done."""
    first = {place.name: _ticks(place.pid) for place in home.fleet.places}
    await asyncio.sleep(IDLE_SECONDS)
    ticks = {place.name: _ticks(place.pid) - first[place.name] for place in home.fleet.places}
    shares = {name: count / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS for name, count in ticks.items()}
    return max(((name, round(share, 3)) for name, share in shares.items()), key=lambda each: each[1])


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


async def repeats(trial: Trial) -> None:
    """Stored commands and events said again, in another order and much later; nothing may come of it.

    Half of them as an older version of us would have said them: without the fields that were added since.
    """
    count, share = trial.size("jobs"), trial.sizes["share"]
    wanted = list(jobs(trial.seed, count, MIX))
    async with house(trial) as home:
        async with submitting(trial, home, wanted, trial.sizes["rate"]):
            again = asyncio.create_task(_again(trial, home, share, passes=3))
        said = await again
        said += await _say_all(trial, home, share)
        await asyncio.sleep(5)  # what was said last is handled by then
        until = time.monotonic() + 120
        while True:
            lives = await read_lives(home.url)
            verdict = judge(lives, wanted)
            if not verdict.unfinished or time.monotonic() > until:
                break
            await asyncio.sleep(2)
        trial.report.row(said_again=said)
        bill = audit(home.cloud.entries(), await read_journal(home.url))
        trial.report.row(scenario=trial.name, **verdict.row())
        trial.report.row(scenario=trial.name, **bill.row())
        events = [len(life.ends) for life in lives.of.values()]
        trial.report.remark(
            f"{sum(many > 1 for many in events)} terminal events stand on the log twice: they were repeated"
        )
        verdict.twice.clear()  # the repetition itself is stored, by the harness
        laws(trial, verdict, bill)


async def _again(trial: Trial, home: House, share: float, passes: int) -> int:
    """While the jobs run: say some of what was stored so far again."""
    said = 0
    for _ in range(passes):
        await asyncio.sleep(2)
        said += await _say_all(trial, home, share / passes)
    return said


async def _say_all(trial: Trial, home: House, share: float) -> int:
    """Say a share of what the log holds again, shuffled within 200, past the broker's own de-duplication."""
    pool: list[Msg] = [
        each
        async for each in stored(home.url, ["quire.cmd.>", "quire.evt.>"])
        if trial.order.random() < share and "schedule" not in each.subject
    ]
    client = await steady(home.url)
    log = client.jetstream(timeout=5)
    try:
        for start in range(0, len(pool), 200):
            part = pool[start : start + 200]
            trial.order.shuffle(part)
            for message in part:
                headers = {k: v for k, v in (message.headers or {}).items() if not k.startswith("Nats-")}
                body = older(message) if trial.order.random() < 0.5 else message.data
                await log.publish(message.subject, body, headers=headers)
    finally:
        await client.close()
    return len(pool)


def older(message: Msg) -> bytes:
    """The body as a version said it that did not know yet the fields which are at their defaults here."""
    noun, verb = message.subject.split(".")[3:5]
    entry = next((each for each in REGISTRY if (each.noun, each.verb) == (noun, verb) and not each.raw), None)
    if entry is None:
        return message.data
    body = msgspec.json.decode(message.data)
    for field in msgspec.structs.fields(entry.message):
        if field.default is not msgspec.NODEFAULT and body.get(field.encode_name) == msgspec.to_builtins(field.default):
            body.pop(field.encode_name, None)
    return msgspec.json.encode(body)
