"""What waiting is expected to bring, from what was seen of late: how long targets take, and how much better they are.

All replicas know the same, but for the latest seconds (`remembering`). What is not known argues for waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from statistics import fmean
from typing import TYPE_CHECKING, Final

from quire_contracts.load import TargetLoad
from quire_contracts.minimum import minimum_so_far
from quire_contracts.record import baseline_of
from quire_contracts.result import Best, MinimizeResult
from quire_contracts.so_far import is_better, objective_of
from quire_contracts.task import TaskScored
from quire_contracts.topology import DAY
from quire_control_plane.endings.keeping import left_of
from quire_control_plane.patience.memory import KEPT, Memory, Seen, Subject, gain, merged, since, turnaround
from quire_control_plane.tasks import pending_of
from quire_resilience.clock import Clock

if TYPE_CHECKING:
    from quire_contracts.evidence import EvidenceKept
    from quire_contracts.record import JobRecord

REMEMBERED_SECONDS: Final = 300.0
"""How long it counts what an answer took, or as long as it took, if that is longer: queues change."""

GAIN_SECONDS: Final = 30 * DAY
"""How long a gain counts."""

SUBJECTS: Final = 1_024
"""The least recent of more than so many is forgotten."""


@dataclass(slots=True)
class Prospects:
    """What a replica knows. Decisions read it from other threads, so what it holds is replaced, never changed.

    marks: tell what is seen here apart from what other replicas see: numbers below 2**53 that none of them gives.
    """

    clock: Clock
    loads: Callable[[], Mapping[str, TargetLoad]] = dict
    marks: Iterator[int] = field(default_factory=count)
    _seen: dict[Subject, tuple[Seen, ...]] = field(default_factory=dict)
    _news: set[Subject] = field(default_factory=set)

    def seconds(self, target: str) -> float | None:
        """Until the answer of work that is sent there now; None where nobody knows.

        The third quartile of what the latest answers took, or what batching expects to wait and to run, whichever is
        longer: our own queue is seen first where it is, a provider's only in what its answers took.
        """
        latest = since(self._seen.get(turnaround(target), ()), self._now, REMEMBERED_SECONDS)
        took = sorted(each.figure for each in latest)
        known = [took[3 * len(took) // 4]] if took else []
        load = self.loads().get(target)
        if load is not None and load.wait_seconds + load.batch_seconds > 0:
            known.append(load.wait_seconds + load.batch_seconds)
        return max(known, default=None)

    def gain(self, record: JobRecord) -> float | None:
        """By which share of the classical value the quantum answer is better, on average over the latest of such jobs.

        An answer that was not better counts as 0, for the classical one is there. None where there was none yet.
        """
        seen = since(self._seen.get(_group(record), ()), self._now, GAIN_SECONDS)
        return fmean(each.figure for each in seen) if seen else None

    def learn(self, before: JobRecord | None, after: JobRecord | None, message: object) -> None:
        """Take in a decision on a message: an answer that came, a job that ended with one."""
        if before is None or after is None or before.is_over:
            return
        pending = pending_of(before, message.task_id) if isinstance(message, TaskScored) else None
        if pending is not None and pending.held is None:
            self.took(pending.task.target, (self.clock.now() - pending.since).total_seconds())
        best = (after.best or _measured(after)) if after.is_over else None
        if best is not None:
            self.gained(after, best)

    def learn_late(self, record: JobRecord, evidence: EvidenceKept) -> None:
        """Take in an answer that came too late: the next one may take as long, and be as good."""
        left = left_of(record, evidence.task_id, evidence.attempt)
        if left is not None:
            self.took(left.target, (evidence.arrived_at - left.since).total_seconds())
        if evidence.best is not None:
            self.gained(record, evidence.best)

    def took(self, target: str, seconds: float) -> None:
        """An answer came so long after its work was sent there."""
        self._see(turnaround(target), max(0.0, seconds))

    def gained(self, record: JobRecord, best: Best) -> None:
        """A job's best sample, held against the classical answer if the job has one."""
        baseline = baseline_of(record)
        if baseline is None:
            return
        sense, _ = objective_of(record)
        better = is_better(best, baseline, sense)
        share = abs(best.value - baseline.value) / max(1.0, abs(baseline.value)) if better else 0.0
        self._see(_group(record), round(share, 6))

    def news(self) -> tuple[Subject, ...]:
        """The subjects of which something was seen here that was not told yet."""
        return tuple(self._news)

    def told(self, memory: Memory) -> None:
        """That is all that others know of the subject; if it is all that is known here, there is no news of it."""
        if self.known(memory.subject) == memory.seen:
            self._news.discard(memory.subject)

    def known(self, subject: Subject) -> tuple[Seen, ...]:
        """All that is known of a subject."""
        return self._seen.get(subject, ())

    def recall(self, memory: Memory) -> None:
        """Take in what was seen of a subject by anybody, at any time; what comes from the future is left."""
        believed = since(memory.seen, self._now, float("inf"))
        self._keep(memory.subject, merged(self.known(memory.subject), believed))

    @property
    def _now(self) -> float:
        return self.clock.now().timestamp()

    def _see(self, subject: Subject, figure: float) -> None:
        now, known = Seen(self._now, next(self.marks), figure), self.known(subject)
        in_order = not known or known[-1] < now
        self._keep(subject, (*known, now)[-KEPT:] if in_order else merged(known, (now,)))
        self._news.add(subject)

    def _keep(self, subject: Subject, seen: tuple[Seen, ...]) -> None:
        if not seen:
            return
        if subject not in self._seen and len(self._seen) >= SUBJECTS:
            oldest = min(self._seen, key=lambda each: self._seen[each][-1])
            self._seen = {each: known for each, known in self._seen.items() if each != oldest}
            self._news.discard(oldest)
        self._seen[subject] = seen


def _measured(record: JobRecord) -> Best | None:
    """The energy that a minimisation measured, as a best sample is; None where it measured none."""
    if record.kind != "minimize":
        return None
    result = record.result
    final = result if isinstance(result, MinimizeResult) and result.source == "quantum" else minimum_so_far(record)
    return None if final is None else Best(final.energy, ())


def _group(record: JobRecord) -> Subject:
    return gain(record.tenant, record.kind, objective_of(record)[1])
