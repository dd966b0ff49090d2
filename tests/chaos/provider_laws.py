"""What a provider's own ledger must show beside the gateways' journal: each submission once, no work paid twice."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from clouds import PREFIX
from stored import stored

from quire_emulator.entries import Applied, Entry, Moved
from quire_emulator.ledger import check, identity

LEGAL = {
    "": {"intent"},
    "intent": {"intent", "calling", "submitted", "retrieved", "failed", "unknown"},
    "calling": {"calling", "intent", "submitted", "failed", "unknown"},
    "submitted": {"submitted", "retrieved", "failed", "unknown"},
    "unknown": {"unknown", "calling", "submitted", "failed", "parked", "intent"},
    "parked": {"parked", "submitted", "abandoned"},
    "failed": {"failed", "intent"},
    "retrieved": {"retrieved"},
    "abandoned": {"abandoned"},
}
"""For each state of a submission those that may follow. From `unknown` to `intent` goes only what costs nothing."""


class Submission(msgspec.Struct):
    """The part of a submission's record that the laws speak of."""

    batch_id: str
    target: str
    token: str
    epoch: int
    state: str
    request_sha256: str
    provider_job_id: str = ""
    calls: int = 0


class _Member(msgspec.Struct):
    task_id: str
    first: int
    attempt: int


class _Batch(msgspec.Struct):
    batch_id: str
    target: str
    members: list[_Member]


class _Execute(msgspec.Struct):
    batch: _Batch


@dataclass
class Journal:
    """Every submission as the log has it, what is wrong with their lives, and the work of each batch."""

    of: dict[str, Submission] = field(default_factory=dict)
    states: dict[str, list[str]] = field(default_factory=dict)
    illegal: dict[str, list[str]] = field(default_factory=dict)
    work: dict[str, _Batch] = field(default_factory=dict)
    alarms: Counter[str] = field(default_factory=Counter)

    def take(self, body: bytes) -> None:
        """The next value of a submission."""
        new = _SUBMISSION.decode(body)
        before = self.of.get(new.batch_id)
        wrong = self.illegal.setdefault(new.batch_id, [])
        if new.state not in LEGAL.get(before.state if before else "", set()):
            wrong.append(f"{before.state if before else 'nothing'} -> {new.state}")
        if before is not None and (new.token, new.request_sha256) != (before.token, before.request_sha256):
            wrong.append("its token changed")
        if before is not None and new.epoch < before.epoch:
            wrong.append("an older gateway wrote")
        if before is not None and before.state == "unknown" and new.state == "intent" and before.calls:
            wrong.append("what may be at the provider began again")
        self.of[new.batch_id] = new
        self.states.setdefault(new.batch_id, []).append(new.state)

    def only(self, batches: Iterable[str]) -> Journal:
        """The part of it about some batches."""
        mine = set(batches)
        return Journal(
            of={batch: each for batch, each in self.of.items() if batch in mine},
            states={batch: each for batch, each in self.states.items() if batch in mine},
            illegal={batch: each for batch, each in self.illegal.items() if batch in mine},
            work={batch: each for batch, each in self.work.items() if batch in mine},
        )

    @property
    def wrong(self) -> dict[str, list[str]]:
        """Illegal lives, by batch."""
        return {batch: found for batch, found in self.illegal.items() if found}


_SUBMISSION = msgspec.json.Decoder(Submission)
_EXECUTE = msgspec.json.Decoder(_Execute)


async def read_journal(url: str, after: int = 0) -> Journal:
    """All that the log says of submissions."""
    journal = Journal()
    subjects = [
        "quire.rec.*.submission.*",
        "quire.cmd.*.batch.execute.v1.*",
        "quire.evt.*.batch.parked.v1.*",
        "quire.evt.*.duplicate.found.v1.*",
        "quire.evt.*.orphan.found.v1.*",
    ]
    async for message in stored(url, subjects, after=after):
        words = message.subject.split(".")
        if words[1] == "rec":
            journal.take(message.data)
        elif words[1] == "cmd":
            with contextlib.suppress(msgspec.DecodeError):  # a poison: no gateway can have run it
                batch = _EXECUTE.decode(message.data).batch
                journal.work[batch.batch_id] = batch
        else:
            journal.alarms[f"{words[3]} {words[4]}"] += 1
    return journal


@dataclass
class Bill:
    """What the provider's ledger proves beside the journal; lists name identities, jobs or tasks."""

    applied: int
    doubled: list[str]
    strangers: list[str]
    unpaid: list[str]
    paid_twice: list[str]
    parked: list[str]
    illegal: dict[str, list[str]]
    calls_per_job: float
    spent: float
    starts: int

    @property
    def faults(self) -> int:
        """How many of its laws were broken."""
        return sum(map(len, (self.doubled, self.strangers, self.unpaid, self.paid_twice, self.illegal)))

    def row(self) -> dict[str, object]:
        """The figures."""
        return {
            "provider jobs": self.applied,
            "doubled": len(self.doubled),
            "work paid twice": len(self.paid_twice),
            "strangers": len(self.strangers),
            "answered unpaid": len(self.unpaid),
            "illegal steps": len(self.illegal),
            "parked": len(self.parked),
            "calls/job": round(self.calls_per_job, 2),
        }


def audit(entries: Iterable[Entry], journal: Journal) -> Bill:
    """Compare a ledger with the journal.

    doubled: identities with two jobs.   strangers: jobs of no submission that is known.
    unpaid: submissions with an answer of a remote target and no job.
    paid twice: parts of a task that ran, or may run, in two batches; one that failed before may come again.
    """
    entries = list(entries)
    report = check(entries, prefix=PREFIX)
    ended = {entry.job: entry.status for entry in entries if isinstance(entry, Moved)}
    batch_of = {submission.token: batch for batch, submission in journal.of.items()}
    applied: defaultdict[str, list[str]] = defaultdict(list)
    strangers = []
    for entry in entries:
        if isinstance(entry, Applied):
            name = identity(entry, PREFIX).removeprefix(PREFIX)
            batch = batch_of.get(name) or batch_of.get(name.rpartition("-")[0])
            if batch is None:
                strangers.append(entry.job)
            elif ended.get(entry.job) not in ("FAILED", "CANCELLED"):
                applied[batch].append(entry.job)
    remote = {batch for batch, one in journal.of.items() if one.target.startswith(("aws:", "ibm:"))}
    retrieved = {batch for batch in remote if journal.of[batch].state == "retrieved"}
    runs = Counter(
        (member.task_id, member.first)
        for batch in applied
        if batch in journal.work
        for member in journal.work[batch].members
    )
    return Bill(
        applied=report.applied,
        doubled=[each.identity for each in report.doubled],
        strangers=strangers,
        unpaid=sorted(retrieved - applied.keys()),
        paid_twice=[f"{task} from {first}" for (task, first), count in runs.items() if count > 1],
        parked=[batch for batch, one in journal.of.items() if one.state == "parked"],
        illegal=journal.wrong,
        calls_per_job=report.calls_per_job,
        spent=report.spent,
        starts=report.starts,
    )
