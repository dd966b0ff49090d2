"""What every job's life on the log must obey, whatever was killed meanwhile; written without the code that makes it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from stored import ENDED, stored
from upstreams import Wanted

TERMINAL = frozenset({"completed", "failed", "cancelled", "rejected"})
LEGAL = {
    "": {"queued", "validated", "completed", "failed", "rejected"},
    "queued": {"queued", "validated", "submitted"} | TERMINAL,
    "validated": {"validated", "submitted"} | TERMINAL,
    "submitted": {"submitted", "running", "retrieved", "scored"} | TERMINAL,
    "running": {"running", "retrieved", "scored", "submitted"} | TERMINAL,
    "retrieved": {"retrieved", "scored", "submitted", "running"} | TERMINAL,
    "scored": {"scored", "submitted", "running", "retrieved"} | TERMINAL,
}
"""For each state of a job's record those that may follow; after a terminal one nothing may."""

KEPT = ("job_id", "tenant", "kind", "seed", "content_sha256", "accepted_at")
"""What never changes in a job's record."""


class Step(msgspec.Struct):
    """A line of a record's own history."""

    state: str
    at: datetime
    cause: str = ""


class Record(msgspec.Struct):
    """The part of a job's record that the laws speak of."""

    job_id: str
    tenant: str
    kind: str
    seed: int
    content_sha256: str
    accepted_at: datetime
    state: str
    history: list[Step]


class End(msgspec.Struct):
    """The part of a terminal event that the laws speak of."""

    job_id: str
    degraded: bool = False
    reason: str = ""
    result: dict[str, object] | None = None
    fault: dict[str, object] | None = None


@dataclass
class Life:
    """One job as the log has it."""

    record: Record | None = None
    submitted_at: float = 0.0
    ends: list[tuple[str, float, End]] = field(default_factory=list)
    illegal: list[str] = field(default_factory=list)


@dataclass
class Lives:
    """All jobs' lives, and what is wrong with them."""

    of: dict[str, Life] = field(default_factory=dict)

    def take_record(self, body: bytes) -> None:
        """The next value of a job's record."""
        record = _RECORD.decode(body)
        life = self.of.setdefault(record.job_id, Life())
        before = life.record
        if before is None:
            allowed = LEGAL[""]
        else:
            allowed = LEGAL.get(before.state, set())
            changed = [name for name in KEPT if getattr(before, name) != getattr(record, name)]
            if changed:
                life.illegal.append(f"{', '.join(changed)} changed")
            if record.history[: len(before.history)] != before.history:
                life.illegal.append("its history was rewritten")
        if record.state not in allowed:
            life.illegal.append(f"{before.state if before else 'nothing'} -> {record.state}")
        life.record = record

    def take_end(self, state: str, at: float, body: bytes) -> None:
        """A terminal event."""
        end = _END.decode(body)
        self.of.setdefault(end.job_id, Life()).ends.append((state, at, end))


_RECORD = msgspec.json.Decoder(Record)
_END = msgspec.json.Decoder(End)


async def read_lives(url: str, after: int = 0) -> Lives:
    """Everything that the log says of jobs."""
    lives = Lives()
    subjects = ["quire.rec.*.job.*", *ENDED, "quire.cmd.*.job.submit.v1.*"]
    async for message in stored(url, subjects, after=after):
        words = message.subject.split(".")
        at = message.metadata.timestamp.timestamp()
        if words[1] == "rec":
            lives.take_record(message.data)
        elif words[1] == "evt":
            lives.take_end(words[4], at, message.data)
        else:
            life = lives.of.setdefault(words[6], Life())
            life.submitted_at = life.submitted_at or at
    return lives


@dataclass
class Verdict:
    """What the laws say of the jobs that were wanted; lists name jobs."""

    wanted: int
    lost: list[str]
    unfinished: list[str]
    twice: list[str]
    wrong: list[str]
    illegal: dict[str, list[str]]
    parked: list[str]
    failed: Counter[str]
    degraded: int
    seconds: list[float]
    longest_stall: float

    def row(self) -> dict[str, object]:
        """The figures."""
        return {
            "jobs": self.wanted,
            "lost": len(self.lost),
            "unfinished": len(self.unfinished),
            "ended twice": len(self.twice),
            "wrong": len(self.wrong),
            "illegal": len(self.illegal),
            "parked": len(self.parked),
            "failed": sum(self.failed.values()),
            "degraded": self.degraded,
            "stall s": round(self.longest_stall, 2),
        }


def judge(lives: Lives, wanted: Sequence[Wanted], *, classical: bool = False) -> Verdict:
    """Compare what the log says with what was wanted.

    classical: a degraded answer need not be the circuit's.
    """
    lost, unfinished, twice, wrong, parked = [], [], [], [], []
    failed: Counter[str] = Counter()
    seconds, ended, degraded = [], [], 0
    for each in (one for one in wanted if one.acked_at):
        life = lives.of.get(each.job)
        if life is None or life.record is None:
            lost.append(each.job)
            continue
        if not life.ends:
            unfinished.append(each.job)
            continue
        if len(life.ends) > 1:
            twice.append(each.job)
        state, at, end = life.ends[0]
        ended.append(at)
        seconds.append(at - life.submitted_at)
        if life.record.state != state:
            life.illegal.append(f"the record says {life.record.state} and the event {state}")
        if state != "completed":
            code = str((end.fault or {}).get("code", state))
            failed[code] += 1
            if code == "submission-parked":
                parked.append(each.job)
        elif end.degraded:
            degraded += 1
            wrong += [] if classical else [each.job]
        elif (end.result or {}).get("counts") != each.counts:
            wrong.append(each.job)
    illegal = {job: life.illegal for job, life in lives.of.items() if life.illegal}
    return Verdict(
        len(wanted), lost, unfinished, twice, wrong, illegal, parked, failed, degraded, seconds, stall(ended)
    )


def stall(times: Iterable[float]) -> float:
    """The longest time between two things that follow each other."""
    ordered = sorted(times)
    return max((later - earlier for earlier, later in itertools.pairwise(ordered)), default=0.0)
