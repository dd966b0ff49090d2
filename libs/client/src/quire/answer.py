"""A job as its user sees it: the state, and once it is over the answer with everything that explains it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from quire.counts import written_out
from quire.errors import JobCancelledError, JobFailedError, JobRejectedError, ServerError
from quire_contracts.appraisal import Appraisal
from quire_contracts.continuation import Continuation
from quire_contracts.document import JobKind
from quire_contracts.evidence import EvidenceKept
from quire_contracts.family import Child, Parent
from quire_contracts.preparation import Baseline
from quire_contracts.query import BestAnswer
from quire_contracts.record import TERMINAL, Decision, JobState
from quire_contracts.result import (
    Best,
    EstimateResult,
    JobResult,
    MinimizeResult,
    OptimizeResult,
    Quality,
    Round,
    SampleResult,
)
from quire_contracts.value import Execution, Fault, Problem, Timing, Value
from quire_contracts.verdict import Verdict


class Cost(Value, frozen=True):
    """What a job has used so far: US dollars billed by providers, and shots."""

    usd: float = 0.0
    shots: int = 0


class Links(Value, frozen=True):
    """Paths of the API; `result` is there once the job has an answer."""

    result: str = ""


class JobView(Value, frozen=True):
    """A job at one moment. While it runs, `result` is None and the lists hold what is known so far."""

    job_id: str
    tenant: str
    state: JobState
    kind: JobKind | None = None
    name: str = ""
    project: str = "default"
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    degraded: bool = False
    reason: str = ""
    needs_review: str = ""
    fault: Fault | None = None
    problems: tuple[Problem, ...] = ()
    result: JobResult | None = None
    baseline: Baseline | None = None
    baseline_seconds: float = 0.0
    quality: Quality | None = None
    verdict: Verdict | None = None
    executions: tuple[Execution, ...] = ()
    timings: tuple[Timing, ...] = ()
    decisions: tuple[Decision, ...] = ()
    shots: int = 0
    cost_usd: float = 0.0
    trace_id: str = ""
    rounds: tuple[Round, ...] = ()
    rounds_planned: int | None = None
    accepted_at: datetime | None = None
    updated_at: datetime | None = None
    replay_of: str | None = None
    answer: BestAnswer | None = None
    late: tuple[EvidenceKept, ...] = ()
    """Answers that came after the job had ended: evidence, and no part of its answer."""

    parent: Parent | None = None
    children: tuple[Child, ...] = ()
    continues: Continuation | None = None
    appraisals: tuple[Appraisal, ...] = ()
    links: Links = msgspec.field(default_factory=Links)

    @property
    def is_over(self) -> bool:
        """Whether the job has ended; an ended job changes no more."""
        return self.state in TERMINAL

    @property
    def best_answer(self) -> BestAnswer:
        """The best answer so far, marked: `final`, `provisional`, or `none` yet."""
        if self.answer is None or self.answer.standing == "final":
            standing: Literal["final", "none"] = "none" if self.result is None else "final"
            known = self.answer or BestAnswer(self.job_id, self.tenant, self.state, standing, reason=self.reason)
            return msgspec.structs.replace(known, result=self.result)
        return self.answer

    @property
    def cost(self) -> Cost:
        """What the job has used."""
        return Cost(usd=self.cost_usd, shots=self.shots)

    @property
    def counts(self) -> Sequence[dict[str, int]]:
        """For a sampling job: one object of counts for each parameter set; the right-most bit is qubit 0.

        Many are a `quire.counts.PackedCounts`: each object is made when it is read, `arrays()` gives all to numpy.

        Raises:
            ServerError: for a job of another kind, or without an answer.
        """
        if isinstance(self.result, SampleResult) and self.result.counts is not None:
            return self.result.counts
        raise self._no("counts")

    @property
    def values(self) -> tuple[tuple[float, ...], ...]:
        """For an estimation job: expectation values of shape [parameter sets, observables].

        Raises:
            ServerError: for a job of another kind, or without an answer.
        """
        return self._estimate("values").values

    @property
    def std_errors(self) -> tuple[tuple[float, ...], ...]:
        """For an estimation job: standard errors of `values`, of the same shape; 0 where the value is exact.

        Raises:
            ServerError: for a job of another kind, or without an answer.
        """
        return self._estimate("standard errors").std_errors

    @property
    def best(self) -> Best:
        """For an optimisation job: the best assignment, one 0 or 1 for each variable, and its value.

        Raises:
            ServerError: for a job of another kind, or without an answer.
        """
        if isinstance(self.result, OptimizeResult):
            return self.result.best
        raise self._no("best assignment")

    @property
    def energy(self) -> float:
        """For a minimisation job: the least energy found, in the unit of its result.

        Raises:
            ServerError: for a job of another kind, or without an answer.
        """
        if isinstance(self.result, MinimizeResult):
            return self.result.energy
        raise self._no("energy")

    def report(self) -> dict[str, Any]:
        """The answer as plain JSON values: exactly the fields that `quire run --json` prints."""
        whole = msgspec.to_builtins(self, enc_hook=written_out)
        whole["cost"] = msgspec.to_builtins(self.cost)
        return {name: whole[name] for name in _REPORTED}

    def answered(self) -> JobView:
        """This view, if the job ended with an answer.

        Raises:
            JobFailedError, JobCancelledError, JobRejectedError: if it ended otherwise.
        """
        match self.state:
            case "failed":
                raise JobFailedError(self.job_id, self.fault.reason if self.fault else self.reason, self.fault)
            case "cancelled":
                raise JobCancelledError(self.job_id, self.reason)
            case "rejected":
                next_step = self.fault.next_step if self.fault else ""
                reason = self.reason or (self.fault.reason if self.fault else "the document cannot become a result")
                raise JobRejectedError(self.job_id, reason, self.problems, next_step=next_step)
            case _:
                return self

    def _estimate(self, what: str) -> EstimateResult:
        if isinstance(self.result, EstimateResult):
            return self.result
        raise self._no(what)

    def _no(self, what: str) -> ServerError:
        return ServerError(f"job {self.job_id} ({self.kind or 'of unknown kind'}, {self.state}) has no {what}")


_REPORTED = (
    *("job_id", "state", "degraded", "reason", "needs_review", "result", "baseline", "quality", "verdict"),
    *("children", "decisions", "appraisals", "executions", "timings", "cost", "trace_id", "late"),
)
