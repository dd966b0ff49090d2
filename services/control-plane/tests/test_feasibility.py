"""What a loop answers where samples may be infeasible: a feasible sample, else the baseline, else the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from control_plane_cases import admitted, answer, at, prepared, run_task

from quire_contracts.answers import Subset
from quire_contracts.job import JobCompleted
from quire_contracts.result import Best, OptimizeResult
from quire_contracts.value import inline_blob
from quire_control_plane.decide import decide

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_contracts.task import Task

PROBLEM = inline_blob(b'{"type": "independent-set", "edges": [[0, 1]]}', "application/vnd.quire.problem+json")
BODY = (
    b'{"kind": "optimize", "problem": {"type": "independent-set", "edges": [[0, 1]]}, "seed": 5, "shots": 100,'
    b' "algorithm": {"name": "qaoa", "layers": 1, "optimizer": {"name": "spsa", "rounds": 1}}}'
)
BROKEN = Best(-9.0, (1, 1), feasible=False, violations=("nodes 0 and 1 are joined by an edge",))


def walk(best: Best, *, solvable: bool = True) -> tuple[JobRecord, list[Task], JobCompleted]:
    """The ended record, the tasks it sent, and what was said, where every task's best is the same."""
    record = admitted(BODY).record
    assert record is not None
    said = prepared(record)
    preparation = said.preparation
    assert preparation.loop is not None
    assert preparation.baseline is not None
    loop = msgspec.structs.replace(preparation.loop, problem=PROBLEM, unit="weight")
    changes = {"answer": Subset((1,))} if solvable else {"feasible": False, "violations": ("too bad",)}
    baseline = msgspec.structs.replace(preparation.baseline, exact=solvable, **changes)
    said = msgspec.structs.replace(said, preparation=msgspec.structs.replace(preparation, loop=loop, baseline=baseline))
    change, tasks = decide(record, said, at(1)), []
    while change.record is not None and not change.record.is_over:
        task = run_task(change)
        tasks.append(task)
        scored = msgspec.structs.replace(answer(task, [-1.0] * task.parameters.rows), best=best)
        change = decide(change.record, scored, at(2 + len(tasks)))
    assert change.record is not None
    (completed,) = (say.message for say in change.says if isinstance(say.message, JobCompleted))
    return change.record, tasks, completed


def test_a_feasible_answer_is_told_with_its_meaning_its_sense_and_its_unit() -> None:
    best = Best(1.0, (1, 0), answer=Subset((0,)))
    record, tasks, completed = walk(best)
    assert isinstance(completed.result, OptimizeResult)
    assert (completed.result.best, completed.degraded) == (best, False)
    assert (completed.result.sense, completed.result.unit, completed.result.source) == ("max", "weight", "quantum")
    assert {task.scoring.problem for task in tasks if task.scoring} == {PROBLEM}
    assert record.best == best


def test_where_no_sample_is_feasible_the_baseline_is_the_answer_and_the_job_degraded() -> None:
    _, _, completed = walk(BROKEN)
    assert isinstance(completed.result, OptimizeResult)
    assert (completed.result.source, completed.degraded) == ("classical", True)
    assert completed.reason == "no quantum sample was feasible; the classical baseline is the answer"
    assert (completed.result.best.feasible, completed.result.best.answer) == (True, Subset((1,)))
    assert (completed.result.sense, completed.result.unit) == ("max", "weight")


def test_where_nothing_is_feasible_at_all_the_answer_says_so() -> None:
    _, tasks, completed = walk(BROKEN, solvable=False)
    assert isinstance(completed.result, OptimizeResult)
    assert (completed.result.source, completed.degraded) == ("quantum", True)
    assert completed.reason == "no quantum sample was feasible"
    assert completed.result.best == BROKEN
    assert completed.result.baseline is not None
    assert not completed.result.baseline.feasible
    assert {(task.scoring.reference, task.scoring.worst) for task in tasks if task.scoring} == {(None, None)}
