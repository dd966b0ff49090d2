"""What waiting is expected to bring, from what was seen of late: how long targets take, and how much better they are.

Hints of one replica, as the loads are; gains outlive it (`remembering`). What is not known argues for waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Final

from quire_contracts.load import TargetLoad
from quire_contracts.so_far import baseline_of, is_better, objective_of
from quire_contracts.task import TaskScored
from quire_control_plane.endings.keeping import left_of
from quire_control_plane.tasks import pending_of
from quire_resilience.clock import Clock

if TYPE_CHECKING:
    from quire_contracts.evidence import EvidenceKept
    from quire_contracts.record import JobRecord
    from quire_contracts.result import Best

REMEMBERED_SECONDS: Final = 300.0
"""How long it counts what an answer took: queues change."""

ANSWERS: Final = 32
_GROUPS: Final = 512

Group = tuple[str, str, str]
"""Whose jobs, of which kind, and what their objective counts."""


@dataclass(slots=True)
class Prospects:
    """The memory of one replica. Decisions read it from other threads, so what it holds is replaced, never changed."""

    clock: Clock
    loads: Callable[[], Mapping[str, TargetLoad]] = dict
    _took: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    _gains: dict[Group, tuple[float, ...]] = field(default_factory=dict)

    def seconds(self, target: str) -> float | None:
        """Until the answer of work that is sent there now; None where nobody knows.

        The third quartile of what the latest answers took, or what batching expects to wait and to run, whichever is
        longer: our own queue is seen first where it is, a provider's only in what its answers took.
        """
        since = self.clock.monotonic() - REMEMBERED_SECONDS
        took = sorted(seconds for at, seconds in self._took.get(target, ()) if at >= since)
        known = [took[3 * len(took) // 4]] if took else []
        load = self.loads().get(target)
        if load is not None and load.wait_seconds + load.batch_seconds > 0:
            known.append(load.wait_seconds + load.batch_seconds)
        return max(known, default=None)

    def gain(self, record: JobRecord) -> float | None:
        """By which share of the classical value the quantum answer is better, on average over the latest of such jobs.

        An answer that was not better counts as 0, for the classical one is there. None where there was none yet.
        """
        seen = self._gains.get(_group(record))
        return fmean(seen) if seen else None

    def learn(self, before: JobRecord | None, after: JobRecord | None, message: object) -> None:
        """Take in a decision on a message: an answer that came, a job that ended with one."""
        if before is None or after is None or before.is_over:
            return
        pending = pending_of(before, message.task_id) if isinstance(message, TaskScored) else None
        if pending is not None and pending.held is None:
            self.took(pending.task.target, (self.clock.now() - pending.since).total_seconds())
        if after.is_over and after.best is not None:
            self.gained(after, after.best)

    def learn_late(self, record: JobRecord, evidence: EvidenceKept) -> None:
        """Take in an answer that came too late: the next one may take as long, and be as good."""
        left = left_of(record, evidence.task_id, evidence.attempt)
        if left is not None:
            self.took(left.target, (evidence.arrived_at - left.since).total_seconds())
        if evidence.best is not None:
            self.gained(record, evidence.best)

    def took(self, target: str, seconds: float) -> None:
        """An answer came so long after its work was sent there."""
        answer = (self.clock.monotonic(), max(0.0, seconds))
        self._took[target] = (*self._took.get(target, ()), answer)[-ANSWERS:]

    def gained(self, record: JobRecord, best: Best) -> None:
        """A job's best sample, held against the classical answer if the job has one."""
        baseline = baseline_of(record)
        if baseline is None:
            return
        sense, _ = objective_of(record)
        better = is_better(best, baseline, sense)
        share = abs(best.value - baseline.value) / max(1.0, abs(baseline.value)) if better else 0.0
        group = _group(record)
        known = {name: shares for name, shares in self._gains.items() if name != group}
        known[group] = (*self._gains.get(group, ()), round(share, 6))[-ANSWERS:]
        self._gains = dict(list(known.items())[-_GROUPS:])

    @property
    def gains(self) -> Mapping[Group, tuple[float, ...]]:
        """What is known of gains, the group that was learned of last at the end; a value, that changes no more."""
        return self._gains

    def recall(self, gains: Mapping[Group, tuple[float, ...]]) -> None:
        """Take in what was known in an earlier life, where nothing was learned since."""
        self._gains = dict(list({**gains, **self._gains}.items())[-_GROUPS:])


def _group(record: JobRecord) -> Group:
    return record.tenant, record.kind, objective_of(record)[1]
