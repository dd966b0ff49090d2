"""The cloud's jobs as its ledger tells them: the same lines give the same jobs, in the first life and in the next."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quire_emulator.entries import OVER, Applied, Armed, Called, Disarmed, Entry, Moved, Opened, Order, Promised

if TYPE_CHECKING:
    from quire_emulator.rules import Book


@dataclass
class Job:
    """One paid job; `number` counts from 1, `moved` is the time of each status it has had."""

    made: Applied
    number: int
    status: str = "QUEUED"
    reason: str = ""
    good: int = 0
    moved: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Unique in the cloud."""
        return self.made.job

    @property
    def order(self) -> Order:
        """What was asked for."""
        return self.made.order

    @property
    def over(self) -> bool:
        """Whether it can change no more."""
        return self.status in OVER

    @property
    def ended(self) -> float | None:
        """When it ended."""
        return next((at for status, at in self.moved.items() if status in OVER), None)


@dataclass
class Register:
    """All jobs of a cloud, and what waits.

    Attributes:
        jobs: by id, in order of creation.
        tagged: by tag and id, in order of creation.
        tokens: the last job of each (API, token).
        queues: of each device, the jobs that wait, by their turn: (ready, number, id).
        running: of each device, the ids of the jobs that run.
        promised: creates that are applied later, by call.
        founded: when the ledger began.
        calls: how many there were.
    """

    book: Book
    jobs: dict[str, Job] = field(default_factory=dict)
    tagged: dict[str, dict[str, Job]] = field(default_factory=dict)
    tokens: dict[tuple[str, str], Job] = field(default_factory=dict)
    queues: dict[str, list[tuple[float, int, str]]] = field(default_factory=dict)
    running: dict[str, list[str]] = field(default_factory=dict)
    promised: dict[int, Promised] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    queued_spend: dict[str, float] = field(default_factory=dict)
    founded: float | None = None
    starts: int = 0
    calls: int = 0

    def unfinished(self, device: str) -> int:
        """Jobs that wait or run there."""
        return len(self.queues.get(device, ())) + len(self.running.get(device, ()))

    def take(self, entry: Entry) -> None:
        """One more line."""
        match entry:
            case Opened():
                self.founded = entry.at if self.founded is None else self.founded
                self.starts += 1
            case Called():
                self.calls = max(self.calls, entry.call)
                if entry.again:
                    self.promised.pop(entry.call, None)
            case Promised():
                self.promised[entry.call] = entry
            case Applied():
                self._apply(entry)
            case Moved():
                self._move(entry)
            case Armed():
                self.book.arm(entry.rule, entry.at)
            case Disarmed():
                self.book.disarm(entry.rule)

    def _apply(self, entry: Applied) -> None:
        self.promised.pop(entry.call, None)
        job = Job(entry, len(self.jobs) + 1, moved={"QUEUED": entry.at})
        self.jobs[entry.job] = job
        for tag in entry.order.tags:
            self.tagged.setdefault(tag, {})[entry.job] = job
        if entry.order.token:
            self.tokens[entry.order.api, entry.order.token] = job
        device = entry.order.device
        insort(self.queues.setdefault(device, []), (entry.ready, job.number, entry.job))
        self.queued_spend[device] = self.queued_spend.get(device, 0.0) + entry.price

    def _move(self, entry: Moved) -> None:
        job = self.jobs[entry.job]
        device = job.order.device
        if job.status == "QUEUED":
            queue = self.queues[device]
            queue.remove(next(place for place in queue if place[2] == entry.job))
        elif job.status == "RUNNING":
            self.running[device].remove(entry.job)
        if entry.status == "RUNNING":
            self.running.setdefault(device, []).append(entry.job)
        elif entry.status in OVER:
            self.queued_spend[device] -= job.made.price
            if entry.status == "COMPLETED":
                self.spent[device] = self.spent.get(device, 0.0) + job.made.price
        job.status, job.reason, job.good = entry.status, entry.reason, entry.good
        job.moved[entry.status] = entry.at
