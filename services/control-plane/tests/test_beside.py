"""The classical answer beside the quantum work: whenever it comes, how often, or never, a job ends the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from control_plane_cases import admitted, answer, at, fault, prepared, run_task
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.job import AbandonJob, CancelJob, ExpireJob, JobRejected
from quire_contracts.preparation import BaselineFailed, BaselineFound, JobPrepared
from quire_contracts.record import JobRecord, awaits_baseline, baseline_of
from quire_contracts.result import MinimizeResult, OptimizeResult, Quality
from quire_contracts.so_far import best_answer
from quire_contracts.task import CancelTask, RunTask
from quire_contracts.value import Problem, Timing
from quire_control_plane.change import NOTHING
from quire_control_plane.decide import decide
from quire_control_plane.dispatch.unwanted import answered_by, stopping
from quire_control_plane.endings.awaiting import LONGEST_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from quire_contracts.preparation import Baseline
    from quire_contracts.task import Task, TaskScored
    from quire_control_plane.change import Change
    from quire_control_plane.decide import JobMessage

    Says = Callable[[JobRecord], JobMessage]

ROUNDS = 2
STEPS = ROUNDS + 3
"""Of a job's life: it is prepared, its start points, its rounds and its last sampling are answered."""

OPTIMIZE = (
    b'{"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}, "seed": 5, "shots": 100,'
    b' "algorithm": {"name": "qaoa", "layers": 1, "optimizer": {"name": "spsa", "rounds": 2}}}'
)
MINIMIZE = (
    b'{"kind": "minimize", "hamiltonian": {"ZZ": 1.0, "XI": 0.5}, "seed": 5, "precision": 0.1,'
    b' "algorithm": {"name": "vqe", "optimizer": {"name": "spsa", "rounds": 2}}}'
)
BODIES = pytest.mark.parametrize("body", [OPTIMIZE, MINIMIZE], ids=["optimize", "minimize"])


def to_come(record: JobRecord) -> JobPrepared:
    """A preparation whose baseline is being found."""
    said = _as_kind(record, prepared(record))
    preparation = msgspec.structs.replace(said.preparation, baseline=None)
    return msgspec.structs.replace(said, preparation=preparation, baseline_to_come=True, baseline_seconds=0.0)


def as_before(record: JobRecord) -> JobPrepared:
    """A preparation of an older release: with its baseline."""
    return _as_kind(record, prepared(record))


def baseline(record: JobRecord) -> Baseline:
    known = as_before(record).preparation.baseline
    assert known is not None
    return known


def found(record: JobRecord) -> BaselineFound:
    timing = Timing(stage="baseline", resource="cpu", started_at=at().now, seconds=0.01)
    return BaselineFound(record.job_id, record.tenant, baseline(record), 0.01, timings=(timing,))


def lost(record: JobRecord) -> BaselineFailed:
    return BaselineFailed(record.job_id, record.tenant, fault())


def infeasible(record: JobRecord) -> BaselineFailed:
    refused = fault("invalid", code="problem-infeasible", retryable=False)
    return BaselineFailed(record.job_id, record.tenant, refused, (Problem(pointer="/problem", reason="too few"),))


def _as_kind(record: JobRecord, said: JobPrepared) -> JobPrepared:
    """The same preparation, of a minimisation too."""
    if record.kind == "optimize":
        return said
    like = prepared(msgspec.structs.replace(record, kind="optimize"))
    loop, known = like.preparation.loop, like.preparation.baseline
    assert loop is not None
    assert known is not None
    ground = msgspec.structs.replace(known, value=-1.5, assignment=(), worst=None)
    return msgspec.structs.replace(
        like,
        preparation=msgspec.structs.replace(
            like.preparation, loop=msgspec.structs.replace(loop, scale=1, unit="hartree"), baseline=ground
        ),
    )


def scored(task: Task) -> TaskScored:
    """An answer whose figures follow from what the task says of the baseline, as aggregation's do."""
    said = answer(task, [-1.0 - 0.01 * row for row in range(task.parameters.rows)], best=2.0)
    reference = task.scoring.reference if task.scoring is not None else None
    figures = Quality(gap=None if reference is None else abs(2.0 - reference) / 3, success_probability=0.5)
    said = msgspec.structs.replace(said, quality=msgspec.structs.replace(said.quality, figures=figures))
    return said if task.scoring is None or task.scoring.of == "samples" else msgspec.structs.replace(said, best=None)


class Life:
    """A job that is told one message after the other and each one twice, known by its record's bytes alone."""

    def __init__(self, body: bytes) -> None:
        record = admitted(body).record
        assert record is not None
        self.record = record
        self.open: list[Task] = []
        self.changes: list[Change] = []
        self.ticks = 0

    def tell(self, message: JobMessage, seconds: float | None = None) -> Change:
        self.ticks += 1
        moment = at(self.ticks if seconds is None else seconds)
        before = msgspec.json.decode(msgspec.json.encode(self.record), type=JobRecord)
        change = stopping(before, decide(before, message, moment), answered_by(message))
        if change.record is not None:
            self.record = change.record
            assert decide(self.record, message, moment) == NOTHING, "the same message again changes nothing"
        self.open = [task for task in self.open if any(task == each.task for each in self.record.pending)]
        self.open += [say.message.task for say in change.says if isinstance(say.message, RunTask)]
        self.changes.append(change)
        return change

    def step(self) -> None:
        """What would happen next if nothing else did."""
        if self.record.preparation is None:
            self.tell(to_come(self.record))
        elif self.open:
            self.tell(scored(self.open[0]))


def lived(body: bytes, said: dict[int, list[Says]]) -> JobRecord:
    """The job's end when this is said before its steps of these numbers; more steps than it takes are no steps."""
    life = Life(body)
    for step in range(STEPS + 3):
        for each in said.get(step, []):
            life.tell(each(life.record))
        life.step()
    return life.record


def told(record: JobRecord) -> dict[str, object]:
    """All that a user sees of an ended job; when it was, and in which order timings came, is not compared."""
    assert record.is_over
    kept = ("state", "result", "degraded", "reason", "needs_review", "shots", "cost_usd", "fault", "problems", "best")
    seen: dict[str, object] = {name: msgspec.to_builtins(getattr(record, name)) for name in kept}
    seen["states"] = [step.state for step in record.history]
    seen["timings"] = sorted(each.stage for each in record.timings)
    return seen | {"baseline": baseline_of(record), "seconds": record.baseline_seconds}


@BODIES
def test_a_job_ends_the_same_whenever_its_baseline_comes(body: bytes) -> None:
    ends = [told(lived(body, {step: [found]})) for step in range(STEPS + 1)]
    assert ends == ends[:1] * len(ends)
    (kind,) = {type(lived(body, {step: [found]}).result) for step in (0, STEPS)}
    assert kind in (OptimizeResult, MinimizeResult)


@BODIES
def test_it_ends_as_it_did_when_the_baseline_came_first_of_all(body: bytes) -> None:
    """Records of an older release, whose preparation has the baseline, are read and end too."""
    life = Life(body)
    life.tell(as_before(life.record))
    while life.open:
        life.step()
    beside, before = told(lived(body, {STEPS: [found]})), told(life.record)
    assert {**beside, "timings": None} == {**before, "timings": None}


@BODIES
@given(
    first=st.integers(0, STEPS),
    more=st.lists(st.tuples(st.integers(0, STEPS + 2), st.sampled_from([found, lost, infeasible])), max_size=4),
    repeated=st.booleans(),
)
def test_what_is_said_first_of_the_baseline_counts_and_what_is_said_later_changes_nothing(
    body: bytes, first: int, more: list[tuple[int, Says]], repeated: bool
) -> None:
    said: dict[int, list[Says]] = {first: [found]}
    for step, each in more:
        if step >= first:
            said.setdefault(step, []).append(each)
    if repeated:
        said.setdefault(STEPS + 2, []).append(to_come)
    assert told(lived(body, said)) == told(lived(body, {0: [found]}))


@BODIES
def test_a_job_without_a_baseline_has_its_quantum_answer_whenever_that_is_known(body: bytes) -> None:
    ends = [told(lived(body, {step: [lost]})) for step in range(STEPS + 1)]
    assert ends == ends[:1] * len(ends)
    assert (ends[0]["state"], ends[0]["baseline"]) == ("completed", None)


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_an_infeasible_problem_is_rejected_for_the_same_reason_whenever_that_is_known(step: int) -> None:
    life = Life(OPTIMIZE)
    for _ in range(step):
        life.step()
    out = list(life.open)
    change = life.tell(infeasible(life.record))
    assert (life.record.state, life.record.pending, life.record.awaiting) == ("rejected", (), None)
    rejected = [say.message for say in change.says if isinstance(say.message, JobRejected)]
    assert [(each.code, each.problems[0].pointer) for each in rejected] == [("problem-infeasible", "/problem")]
    stopped = [say.message for say in change.says if isinstance(say.message, CancelTask)]
    assert [(each.task_id, each.late) for each in stopped] == [(task.task_id, "stop") for task in out]
    ended = life.record
    life.tell(to_come(ended))
    assert life.record == ended


def waiting(body: bytes = OPTIMIZE) -> Life:
    """A job that has done its rounds, and waits for its baseline."""
    life = Life(body)
    for _ in range(STEPS - 1):
        life.step()
    assert life.record.awaiting is not None
    assert (life.record.awaiting.then, life.record.pending) == ("sample", ())
    return life


def test_the_rounds_need_no_baseline_and_the_last_sampling_has_it() -> None:
    life = waiting()
    assert len([change for change in life.changes if change.record and change.record.pending]) == ROUNDS + 1
    task = run_task(life.tell(found(life.record)))
    assert task.scoring is not None
    assert (task.phase, task.scoring.reference, task.scoring.worst) == ("final", 3.0, 0.0)


def test_the_best_so_far_is_the_classical_answer_as_soon_as_it_is_there() -> None:
    life = Life(OPTIMIZE)
    life.step()
    assert best_answer(life.record).standing == "none"
    life.tell(found(life.record))
    shown = best_answer(life.record)
    assert (shown.standing, shown.source) == ("provisional", "classical")
    life.step()
    assert best_answer(life.record).source == "classical", "3 is better than 2"


def test_a_job_that_waits_says_what_it_has() -> None:
    shown = best_answer(waiting().record)
    assert (shown.standing, shown.source) == ("provisional", "quantum")
    assert "the classical answer is still being found" in shown.reason


def test_a_job_that_waits_is_cancelled_or_ends_at_its_deadline() -> None:
    life = waiting()
    life.tell(CancelJob(life.record.job_id, life.record.tenant))
    assert (life.record.state, life.record.awaiting) == ("cancelled", None)
    life = waiting()
    life.tell(ExpireJob(life.record.job_id, life.record.tenant))
    assert (life.record.state, life.record.degraded, life.record.awaiting) == ("completed", True, None)
    assert isinstance(life.record.result, OptimizeResult)
    assert life.record.result.baseline is None


def test_a_baseline_that_gets_lost_ends_the_wait() -> None:
    life = waiting()
    (say,) = [say for say in life.changes[-1].says if isinstance(say.message, AbandonJob)]
    assert say.at is not None
    assert (say.at - life.record.updated_at).total_seconds() == LONGEST_SECONDS
    going = lived(OPTIMIZE, {STEPS: [found, lambda _: say.message]})
    assert told(going) == told(lived(OPTIMIZE, {0: [found]})), "one that waits no more is left alone"
    life.tell(say.message)
    assert (life.record.state, life.record.degraded) == ("completed", True)


def with_deadline(seconds: int) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(OPTIMIZE), "deadline_seconds": seconds})


def test_near_its_deadline_a_job_takes_the_classical_answer_the_moment_it_comes() -> None:
    life = Life(with_deadline(10))
    life.tell(to_come(life.record), seconds=1)
    reserve = ExpireJob(life.record.job_id, life.record.tenant, reserve_seconds=1.0)
    again = life.tell(reserve, seconds=9) if not life.record.is_over else NOTHING
    assert [type(say.message) for say in again.says] == [ExpireJob], "there is nothing to end with yet"
    life.tell(found(life.record), seconds=9.5)
    assert (life.record.state, life.record.degraded) == ("completed", True)
    assert isinstance(life.record.result, OptimizeResult)
    assert life.record.result.source == "classical"


def over_budget() -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(OPTIMIZE), "budget": {"max_shots": 200}})


@pytest.mark.parametrize("body", [over_budget(), MINIMIZE], ids=["budget", "abandoned"])
def test_a_loop_that_ends_early_waits_and_ends_the_same(body: bytes) -> None:
    def abandoned(record: JobRecord) -> AbandonJob:
        return AbandonJob(record.job_id, record.tenant, fault(code="poisoned"))

    early: list[Says] = [abandoned] if body == MINIMIZE else []
    ends = [
        told(lived(body, {1: [found, *early]})),
        told(lived(body, {1: [*early, found]})),
        told(lived(body, {1: early, STEPS: [found]})),
    ]
    assert [{**end, "timings": None} for end in ends] == [{**ends[0], "timings": None}] * 3
    assert (ends[0]["state"], ends[0]["degraded"]) == ("completed", True)
    failed = told(lived(body, {1: early, STEPS: [lost]}))
    assert failed["state"] == "failed", "there is nothing to end with"


def test_nobody_waits_for_a_baseline_of_which_nobody_spoke() -> None:
    life = Life(OPTIMIZE)
    life.tell(as_before(life.record))
    assert not awaits_baseline(life.record)
    assert life.tell(found(life.record)) == NOTHING
