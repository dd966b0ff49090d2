"""Whether the house is too far behind to take a new job at this door; what comes on the bus waits there instead."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quire_api.problems import Refusal
from quire_contracts.document import KINDS, EstimateJob, MinimizeJob, OptimizeJob, SweepJob
from quire_contracts.load import TargetLoad
from quire_contracts.value import Problem
from quire_policy import Facts, Rules, turned_away

if TYPE_CHECKING:
    from quire_contracts.document import JobDocument


@dataclass(frozen=True, slots=True)
class Intake:
    """The refusals of the rules, at the loads of the moment."""

    rules: Rules
    loads: Callable[[], Mapping[str, TargetLoad]]

    def admit(self, job: JobDocument) -> None:
        """Let a job in, or say when to come again.

        Raises:
            Refusal: 429, with Retry-After: as `quire_policy.turned_away` says.
        """
        turned = turned_away(self.rules, facts_of(job), self.loads())
        if turned is None:
            return
        seconds = f"{turned.again_seconds:.0f}"
        problem = Problem(
            pointer="/priority",
            reason=f"jobs of priority {job.priority} do not come in at present: {turned.reason}",
            limit=turned.limit,
            hint="allow other targets, or give urgent work a higher priority",
        )
        raise Refusal(
            429,
            "too-far-behind",
            "There is too much work here already",
            f"{problem.reason} (rule `{turned.rule}`)",
            f"Submit it again in {seconds} s, with the same Idempotency-Key if it has one.",
            (problem,),
            headers={"Retry-After": seconds},
        )


def facts_of(job: JobDocument) -> Facts:
    """What the rules may look at before anybody has looked at the program: its width is not known yet."""
    phase = "main" if not isinstance(job, MinimizeJob | OptimizeJob) else "round" if job.algorithm.initial else "sweep"
    return Facts(
        kind=KINDS[type(job)],
        phase=phase,
        priority=job.priority,
        tenant=job.tenant,
        project=job.project,
        qubits=None,
        shots=_shots(job),
        parameter_sets=None,
        targets=job.targets,
        seeded=job.seed is not None,
        seconds_left=job.deadline_seconds,
    )


def _shots(job: JobDocument) -> int | None:
    if isinstance(job, EstimateJob | MinimizeJob):
        return math.ceil(job.precision**-2) if job.precision else None
    return None if isinstance(job, SweepJob) else job.shots
