"""Every optimiser's loop at a provider, its control plane killed in each round: it ends where it would have ended.

Criterion 4 of issue 5. The same jobs run twice, one after the other, each time in a house and at a cloud of its own
whose shots follow from its seed and a job's number there: once in peace, and once with a kill in every round.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from fleet import Fleet
from nats.aio.msg import Msg
from provider_laws import audit, read_journal
from scenarios import House, Trial, house, tell
from stored import how_many, stored, until_ended
from upstreams import HEADERS, steady

from quire_emulator.entries import Applied, Entry

OPTIMIZERS: dict[str, dict[str, object]] = {
    "cobyla": {"name": "scipy", "method": "cobyla"},
    "powell": {"name": "scipy", "method": "powell"},
    "nelder-mead": {"name": "scipy", "method": "nelder-mead"},
    "l-bfgs-b": {"name": "scipy", "method": "l-bfgs-b", "tolerance": 1e-9},
    "spsa": {"name": "spsa"},
    "nft": {"name": "nft"},
    "cma-es": {"name": "cma-es"},
    "parameter-shift": {"name": "parameter-shift"},
}
MOMENTS = ("issued", "scored", "advanced")
"""When a control plane is killed: a round's task is sent, its answer is there to be decided on, that was decided."""

RING = [[node, (node + 1) % 4, 1.0] for node in range(4)]
TARGET, TENANT = "ibm:ibm_manila", "chaos"
PATIENCE_SECONDS = 1_200.0
READY_SECONDS = 600.0
LONGEST_DELAY = 0.05


@dataclass
class Ended:
    """How a loop ended, and what it asked the provider for.

    asked: a digest of each provider job's work, in order.   kills: of the control plane, by moment.   rounds: those in
    which it was killed.
    """

    state: str = ""
    parameters: tuple[float, ...] = ()
    history: list[dict[str, object]] = field(default_factory=list)
    optimizer: dict[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    rounds: set[int] = field(default_factory=set)


class _Result(msgspec.Struct):
    parameters: tuple[float, ...] = ()
    history: list[dict[str, object]] = []


class _Completed(msgspec.Struct):
    result: _Result


class _Checkpoint(msgspec.Struct):
    optimizer: dict[str, object]


class _Record(msgspec.Struct):
    state: str
    checkpoint: _Checkpoint | None = None


class _Task(msgspec.Struct):
    phase: str
    round: int


class _Run(msgspec.Struct):
    task: _Task


class _Round(msgspec.Struct):
    round: int


class _Advanced(msgspec.Struct):
    round: _Round


def differences(calm: Ended, killed: Ended) -> list[str]:
    """What the kills have changed of a loop: nothing, if all is well. Floats are compared bit for bit."""
    found = [
        name
        for name in ("state", "parameters", "history", "optimizer")
        if msgspec.json.encode(getattr(calm, name)) != msgspec.json.encode(getattr(killed, name))
    ]
    if calm.asked != killed.asked:
        found.append(f"evaluations: {len(calm.asked)} in peace, {len(killed.asked)} with kills")
    return found


def document(optimizer: Mapping[str, object], rounds: int) -> dict[str, object]:
    """A loop of so many rounds over four angles, from where there is something to gain."""
    initial = [0.3, 0.5, 0.4, 0.2]
    algorithm = {"name": "qaoa", "layers": 2, "initial": initial, "optimizer": {**optimizer, "rounds": rounds}}
    return {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": RING},
        "seed": 11,
        "shots": 400,
        "targets": [TARGET],
        "algorithm": algorithm,
    }


async def every_round(trial: Trial) -> None:
    """Loops in peace and with kills; each must end the same, with the same evaluations at the provider."""
    names, rounds = list(OPTIMIZERS)[trial.size("first") :][: trial.size("optimizers")], trial.size("rounds")
    calm = await _all(trial, "calm", names, rounds, None)
    killed = await _all(trial, "killed", names, rounds, trial.order)
    for name in names:
        one, other = calm[name], killed[name]
        wrong = differences(one, other)
        trial.report.row(
            optimizer=name,
            rounds=len(other.history),
            kills=sum(other.kills.values()),
            **{moment: other.kills[moment] for moment in MOMENTS},
            evaluations=len(other.asked),
            same="no" if wrong else "yes",
        )
        for each in wrong:
            trial.report.remark(f"{name}: not the same: {each}")
    trial.holds("loops that did not complete", sum(each.state != "completed" for each in killed.values()), 0)
    trial.holds(
        "loops that ended otherwise than in peace", sum(bool(differences(calm[n], killed[n])) for n in names), 0
    )
    missed = sum(len(each.history) - len(each.rounds) for each in killed.values())
    trial.holds("rounds without a kill", missed, 0)


async def _all(
    trial: Trial, what: str, names: Sequence[str], rounds: int, order: random.Random | None
) -> dict[str, Ended]:
    """Each loop after the one before, in a house of its own; with an order for them, kills."""
    found: dict[str, Ended] = {}
    apart = replace(trial, folder=trial.folder / what)
    replicas = {"control-plane": 1, "quantum-gateway": 1, "gpu-simulation": 0, "ledger": 0, "api": 0}
    async with house(apart, replicas=replicas, wait=(0.0, 0.05), patience=READY_SECONDS) as home:
        for name in names:
            began, before = time.monotonic(), len(_orders(home.cloud.entries()))
            found[name] = await _one(home, document(OPTIMIZERS[name], rounds), order)
            found[name].asked = _orders(home.cloud.entries())[before:]
            tell(f"rounds, {what}: {name} {found[name].state} after {time.monotonic() - began:.0f} s")
        bill = audit(home.cloud.entries(), await read_journal(home.url))
        trial.report.row(run=what, **bill.row())
        trial.holds(f"{what}: evaluations twice at the provider", len(bill.doubled) + len(bill.paid_twice), 0)
        trial.holds(f"{what}: provider jobs of no known submission", len(bill.strangers), 0)
        trial.holds(f"{what}: deaths that were no kill", len(home.fleet.unwished()), 0)
    return found


def _orders(entries: Sequence[Entry]) -> list[str]:
    """What each job at the provider was to run: device, shots and program with its numbers."""
    return [
        hashlib.sha256(f"{entry.order.device}|{entry.order.shots}|{entry.order.body}".encode()).hexdigest()
        for entry in entries
        if isinstance(entry, Applied)
    ]


async def _one(home: House, job_document: Mapping[str, object], order: random.Random | None) -> Ended:
    """One job from its submission to its end."""
    job, found, earlier = str(uuid.uuid4()), Ended(), await how_many(home.url)
    client = await steady(home.url)
    heard: asyncio.Queue[Msg] = asyncio.Queue()
    try:
        subscription = await client.subscribe(f"quire.*.{TENANT}.*.*.v1.{job}", cb=heard.put)
        await client.flush()
        subject, headers = f"quire.cmd.{TENANT}.job.submit.v1.{job}", {**HEADERS, "ce-id": job}
        await client.jetstream(timeout=10).publish(subject, msgspec.json.encode(job_document), headers=headers)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_followed(heard, home.fleet, found, order), PATIENCE_SECONDS)
        await subscription.unsubscribe()
    finally:
        await client.close()
    await until_ended(home.url, earlier + 1, seconds=READY_SECONDS, every=0.2)
    await _read(home.url, job, found)
    return found


async def _followed(heard: asyncio.Queue[Msg], fleet: Fleet, found: Ended, order: random.Random | None) -> None:
    """Follow a job to its end and kill its control plane once in each round, at a moment drawn for it."""
    drawn: dict[int, str] = {}
    while True:
        message = await heard.get()
        _, _, _, noun, verb, *_ = message.subject.split(".")
        if noun == "job" and verb in ("completed", "failed", "cancelled", "rejected"):
            found.state = verb
            return
        round_, moment = _moment(f"{noun}.{verb}", message.data)
        if order is None or not round_ or round_ in found.rounds:
            continue
        if drawn.setdefault(round_, order.choice(MOMENTS)) == moment:
            found.rounds.add(round_)
            await _kill(fleet, order.uniform(0.0, LONGEST_DELAY))
            found.kills[moment] += 1


def _moment(name: str, body: bytes) -> tuple[int, str]:
    """The round that a message is about, 0 for none, and which of its moments it is."""
    match name:
        case "task.run":
            task = msgspec.json.decode(body, type=_Run).task
            return (task.round, "issued") if task.phase == "round" else (0, "")
        case "task.scored":
            task = msgspec.json.decode(body, type=_Task)
            return (task.round, "scored") if task.phase == "round" else (0, "")
        case "loop.advanced":
            return msgspec.json.decode(body, type=_Advanced).round.round, "advanced"
        case _:
            return 0, ""


async def _kill(fleet: Fleet, delay: float) -> None:
    """Kill every control plane that lives, or as soon as it does again."""
    await asyncio.sleep(delay)
    for place in fleet.of("control-plane"):
        until = time.monotonic() + READY_SECONDS
        while not fleet.kill(place) and time.monotonic() < until:
            await fleet.ready()


async def _read(url: str, job: str, found: Ended) -> None:
    """What the log says of the job's end."""
    async for message in stored(url, [f"quire.rec.{TENANT}.job.{job}", f"quire.evt.{TENANT}.job.completed.v1.{job}"]):
        if ".rec." in message.subject:
            record = msgspec.json.decode(message.data, type=_Record)
            found.optimizer = record.checkpoint.optimizer if record.checkpoint else {}
        else:
            result = msgspec.json.decode(message.data, type=_Completed).result
            found.parameters, found.history = result.parameters, result.history
