"""The classical answer to one job's problem, found beside its quantum work."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.trace import Tracer

from quire_contracts.document import MinimizeJob, OptimizeJob
from quire_contracts.family import FamilyPlanned
from quire_contracts.intake import parse_document
from quire_contracts.preparation import (
    BaselineFailed,
    BaselineFound,
    FindBaseline,
    JobPrepared,
    PreparationFailed,
    PrepareJob,
)
from quire_preprocessing.classical.baseline import Solved
from quire_preprocessing.classical.baselines import Baselines
from quire_preprocessing.minimize.minimisation import hamiltonian_of
from quire_preprocessing.optimize.optimisation import infeasible
from quire_preprocessing.refusal import Refused
from quire_preprocessing.stages import Stages
from quire_resilience.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Finds baselines. Equal documents give equal baselines; only the timings differ."""

    baselines: Baselines
    tracer: Tracer
    clock: Clock

    async def find(self, command: FindBaseline, body: bytes) -> BaselineFound | BaselineFailed:
        """The baseline of the job whose document is `body`, or that it proves that nothing is feasible."""
        stages = Stages(self.tracer, self.clock)
        with stages.stage("baseline") as span:
            solved = await self._solved(command, body)
            baseline = solved.baseline
            span.set_attributes({"quire.baseline.method": baseline.method, "quire.baseline.exact": baseline.exact})
        if baseline.exact and not baseline.feasible:
            return _refusal(command, infeasible(baseline))
        return BaselineFound(
            job_id=command.job_id,
            tenant=command.tenant,
            baseline=baseline,
            baseline_seconds=sum(solved.seconds.values()) or stages.seconds("baseline"),
            method_seconds=solved.seconds,
            timings=stages.timings,
        )

    async def _solved(self, command: FindBaseline, body: bytes) -> Solved:
        document = parse_document(body)
        if isinstance(document, OptimizeJob):
            return await self.baselines.of(document.problem)
        if isinstance(document, MinimizeJob):
            return await self.baselines.ground(hamiltonian_of(document))
        raise TypeError(f"job {command.job_id} has no baseline: {type(document).__name__}")


def sought(command: PrepareJob, outcome: JobPrepared | FamilyPlanned | PreparationFailed) -> tuple[FindBaseline, ...]:
    """What the commit of a preparation asks for: the baseline that it says is to come."""
    if isinstance(outcome, PreparationFailed) or not outcome.baseline_to_come:
        return ()
    return (FindBaseline(job_id=command.job_id, tenant=command.tenant, document=command.document),)


def _refusal(command: FindBaseline, refused: Refused) -> BaselineFailed:
    return BaselineFailed(job_id=command.job_id, tenant=command.tenant, fault=refused.fault, problems=refused.problems)
