"""Loops that go on from an earlier job: a rerun from any round ends as the whole run; what does not fit is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import pytest
from control_plane_cases import TRACEPARENT, answer, at, prepared, run_task, submit

from quire_contracts.family import FamilyPlanned
from quire_contracts.intake import DocumentError, encode_document, parse_document
from quire_contracts.job import JobRejected
from quire_contracts.preparation import Spectrum
from quire_contracts.record import JobRecord, evolve
from quire_contracts.result import OptimizeResult
from quire_contracts.value import inline_blob
from quire_control_plane.decide import decide
from quire_control_plane.loops.continuing import is_past, resumed, warm
from quire_control_plane.loops.stretching import stretched
from quire_control_plane.submission.admission import Origin, admit, read
from quire_control_plane.tasks import numbers

if TYPE_CHECKING:
    from quire_contracts.task import Task
    from quire_control_plane.loops.continuing import Beginning

ROUNDS = 6
SPECTRA = (Spectrum(spacing=1.0, count=2), Spectrum(spacing=2.0, count=1))
OPTIMIZERS: dict[str, dict[str, object]] = {
    "spsa": {"name": "spsa"},
    "nft": {"name": "nft"},
    "cma-es": {"name": "cma-es", "population": 5},
    "parameter-shift": {"name": "parameter-shift"},
    "cobyla": {"name": "scipy", "method": "cobyla"},
    "l-bfgs-b": {"name": "scipy", "method": "l-bfgs-b", "tolerance": 1e-12},
}


def body(optimizer: dict[str, object], **fields: object) -> bytes:
    document = {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]},
        "seed": 5,
        "shots": 100,
        "algorithm": {"name": "qaoa", "layers": 1, "optimizer": {"rounds": ROUNDS} | optimizer},
    }
    return msgspec.json.encode(document | fields)


def energies(task: Task) -> list[float]:
    return [
        math.cos(a) * math.sin(2 * b) + 0.3 * math.sin(2 * a + 0.4) * math.cos(2 * b) - 1.0
        for a, b in numbers(task.parameters)
    ]


def walk(
    document: bytes, beginning: Beginning | None = None, *, key: str = "job-1"
) -> tuple[list[JobRecord], list[Task]]:
    """Every record of a job, from its admission to its end, and the tasks it sent; its samples get better."""
    submission = read(submit(document, key=key), document)
    blob = inline_blob(encode_document(submission.document), "application/json")
    record = admit(None, submission, Origin(blob, TRACEPARENT, 7, beginning), at()).record
    assert record is not None
    change, records, tasks = decide(record, prepared(record, spectra=SPECTRA), at(1)), [record], []
    while change.record is not None:
        records.append(change.record)
        if change.record.is_over:
            break
        task = run_task(change)
        tasks.append(task)
        found = 1.0 + 0.1 * task.round
        change = decide(change.record, answer(task, energies(task), best=found), at(2 + task.round))
    return records, tasks


def stands(records: list[JobRecord], rounds: int) -> JobRecord:
    return next(record for record in records if is_past(record, rounds))


def rerun(records: list[JobRecord], document: bytes, after: int, *, key: str = "job-2") -> tuple[JobRecord, list[Task]]:
    first = records[0].document.inline
    assert first is not None
    beginning = resumed(stands(records, after), after, parse_document(first), parse_document(document))
    again, tasks = walk(document, beginning, key=key)
    return again[-1], tasks


def found(record: JobRecord) -> bytes:
    """What the loop came to; its verdict also counts the shots and runs that the job had of its own."""
    assert isinstance(record.result, OptimizeResult)
    return msgspec.json.encode(msgspec.structs.replace(record.result, verdict=None))


def pointers(refused: pytest.ExceptionInfo[DocumentError]) -> list[str]:
    return [problem.pointer for problem in refused.value.problems]


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_rerun_from_any_round_with_the_same_settings_ends_as_the_whole_run_did(optimizer) -> None:
    records, tasks = walk(body(optimizer))
    done = len(records[-1].result.history)
    for after in range(done + 1):
        ended, again = rerun(records, body(optimizer, **{"from": {"job": "job-1", "round": after}}), after)
        assert found(ended) == found(records[-1])
        rest = [task for task in tasks if task.phase != "sweep" and task.round > after]
        assert [(task.seed, task.parameters, task.scoring) for task in again] == [
            (task.seed, task.parameters, task.scoring) for task in rest
        ]
        assert not {task.task_id for task in again} & {task.task_id for task in tasks}, "its tasks are its own"
        assert ended.continues is not None
        assert (ended.continues.job, ended.continues.round, ended.continues.resumes) == ("job-1", after, True)


def test_a_rerun_has_as_many_rounds_as_its_own_document_says() -> None:
    records, tasks = walk(body({"name": "nft"}))
    longer, _ = walk(body({"name": "nft", "rounds": 9}))
    ended, again = rerun(records, body({"name": "nft", "rounds": 9}, **{"from": {"job": "job-1", "round": 4}}), 4)
    assert [task.round for task in again] == [5, 6, 7, 8, 9, 10]
    assert [task.parameters for task in again[:2]] == [task.parameters for task in tasks if task.round in (5, 6)]
    assert found(ended) == found(longer[-1])


def test_an_optimiser_that_is_set_otherwise_begins_anew_at_the_best_parameters_of_those_rounds() -> None:
    records, _ = walk(body({"name": "spsa"}))
    checkpoint = stands(records, 3).checkpoint
    document = body({"name": "spsa", "perturbation": 0.3}, **{"from": {"job": "job-1", "round": 3}})
    ended, again = rerun(records, document, 3)
    assert numbers(again[0].parameters)[0] == checkpoint.best_parameters
    assert [task.round for task in again] == [4, 5, 6, 7]
    assert isinstance(ended.result, OptimizeResult)
    assert ended.result.history[:3] == records[-1].result.history[:3]
    assert ended.continues is not None
    assert not ended.continues.resumes


def test_a_rerun_of_a_rerun_goes_on_too_but_not_before_its_own_first_round() -> None:
    records, _ = walk(body({"name": "spsa"}))
    document = body({"name": "spsa"}, **{"from": {"job": "job-1", "round": 2}})
    beginning = resumed(stands(records, 2), 2, parse_document(body({"name": "spsa"})), parse_document(document))
    second, _ = walk(document, beginning, key="job-2")
    ended, _ = rerun(second, document, 4, key="job-3")
    assert found(ended) == found(records[-1])
    with pytest.raises(DocumentError, match="itself goes on from job job-1 after its round 2") as refused:
        rerun(second[1:], document, 1)
    assert pointers(refused) == ["/from/round"]


def test_a_warm_start_begins_at_the_best_parameters_without_a_pre_screen() -> None:
    records, _ = walk(body({"name": "spsa"}))
    document = body({"name": "nft", "rounds": 2}, seed=9, **{"from": {"job": "job-1"}})
    warmed, tasks = walk(document, warm(records[-1], parse_document(document)), key="job-2")
    assert [task.phase for task in tasks] == ["round", "round", "final"]
    best = records[-1].result.parameters
    assert any(row[1] == best[1] for row in numbers(tasks[0].parameters)), "only one angle of a round is moved"
    assert warmed[-1].result.history[0].round == 1
    assert len(warmed[-1].result.history) == 2
    assert warmed[-1].continues is not None
    assert (warmed[-1].continues.job, warmed[-1].continues.round) == ("job-1", None)
    assert msgspec.json.encode(walk(document, warm(records[-1], parse_document(document)), key="job-2")[0][-1]) == (
        msgspec.json.encode(warmed[-1])
    )


def test_what_has_no_end_or_no_such_round_is_refused_with_the_place() -> None:
    records, _ = walk(body({"name": "spsa"}))
    document = parse_document(body({"name": "spsa"}))
    with pytest.raises(DocumentError, match="has not ended") as refused:
        warm(records[3], document)
    assert pointers(refused) == ["/from/job"]
    with pytest.raises(DocumentError, match="has done 0 rounds so far") as refused:
        resumed(records[1], 0, document, document)
    assert pointers(refused) == ["/from/round"]
    with pytest.raises(DocumentError, match="ended before it could go on after round 9"):
        resumed(records[-1], 9, document, document)
    with pytest.raises(DocumentError, match="the log keeps job job-1 from its round 3 on only"):
        resumed(stands(records, 3), 2, document, document)


def test_a_job_of_another_kind_has_no_loop_to_go_on_from(sample_body) -> None:
    submission = read(submit(sample_body), sample_body)
    blob = inline_blob(encode_document(submission.document), "application/json")
    sampled = admit(None, submission, Origin(blob, TRACEPARENT, 7), at()).record
    with pytest.raises(DocumentError, match="kind `sample`"):
        warm(evolve(sampled, state="completed"), parse_document(body({"name": "spsa"})))


@pytest.mark.parametrize("after", [None, 2])
def test_other_parameters_or_another_energy_end_the_job_as_rejected(after) -> None:
    records, _ = walk(body({"name": "spsa"}))
    asked = {"job": "job-1"} | ({} if after is None else {"round": after})
    document = body({"name": "spsa"}, **{"from": asked})
    theirs, ours = parse_document(body({"name": "spsa"})), parse_document(document)
    first = records[-1] if after is None else stands(records, after)
    other = evolve(
        first,
        preparation=msgspec.structs.replace(first.preparation, observables=inline_blob(b"[1]", "application/json")),
        checkpoint=first.checkpoint
        if after is not None
        else msgspec.structs.replace(first.checkpoint, best_parameters=(0.1, 0.2, 0.3, 0.4)),
    )
    beginning = warm(other, ours) if after is None else resumed(other, after, theirs, ours)
    submission = read(submit(document, key="job-2"), document)
    blob = inline_blob(encode_document(submission.document), "application/json")
    record = admit(None, submission, Origin(blob, TRACEPARENT, 7, beginning), at()).record
    change = decide(record, prepared(record, spectra=SPECTRA), at(1))
    (said,) = (say.message for say in change.says)
    assert isinstance(said, JobRejected)
    assert said.code == "continuation-mismatch"
    assert [problem.pointer for problem in said.problems] == ["/from/job"]
    assert ("4 parameters, this one has 2" in said.reason) == (after is None)
    assert change.record.state == "rejected"


def test_angles_of_fewer_layers_are_stretched_as_interp_says() -> None:
    """From p = 1 every angle is repeated; the weights of p = 2 are (1, 0), (1/2, 1/2), (0, 1)."""
    assert stretched((0.4, 0.7), 1) == (0.4, 0.7)
    assert stretched((0.4, 0.7), 2) == pytest.approx((0.4, 0.4, 0.7, 0.7))
    assert stretched((0.2, 0.6, 0.9, 0.3), 3) == pytest.approx((0.2, 0.4, 0.6, 0.9, 0.6, 0.3))
    ramp = stretched((0.1, 0.2, 0.3, 0.3, 0.2, 0.1), 8)
    assert list(ramp[:8]) == sorted(ramp[:8])
    assert list(ramp[8:]) == sorted(ramp[8:], reverse=True)


@pytest.mark.parametrize(("parameters", "layers"), [((0.1, 0.2, 0.3, 0.4), 1), ((0.1, 0.2, 0.3), 2), ((), 1)])
def test_what_is_no_shallower_start_cannot_be_stretched(parameters, layers) -> None:
    with pytest.raises(ValueError, match="cannot be stretched"):
        stretched(parameters, layers)


def test_a_deeper_loop_starts_at_the_stretched_angles_of_a_shallower_one() -> None:
    records, _ = walk(body({"name": "spsa"}))
    algorithm = {"name": "qaoa", "layers": 3, "optimizer": {"name": "spsa"}}
    asked = {"from": {"job": "job-1", "interpolate": True}, "algorithm": algorithm}
    taken = warm(records[-1], parse_document(body({}, **asked))).taken
    gamma, beta = records[-1].result.parameters
    assert taken.parameters == pytest.approx((gamma,) * 3 + (beta,) * 3)
    assert taken.interpolates
    deep = evolve(records[-1], checkpoint=msgspec.structs.replace(records[-1].checkpoint, best_parameters=(0.1,) * 8))
    with pytest.raises(DocumentError, match="cannot be stretched to 3 layers") as refused:
        warm(deep, parse_document(body({}, **asked)))
    assert pointers(refused) == ["/from/interpolate"]


def test_a_problem_that_is_solved_in_parts_has_no_loop_to_go_on_with() -> None:
    records, _ = walk(body({"name": "spsa"}))
    document = body({"name": "spsa"}, **{"from": {"job": "job-1"}})
    beginning = warm(records[-1], parse_document(document))
    admitted, _ = walk(document, beginning, key="job-2")
    planned = FamilyPlanned(job_id="job-2", tenant="acme", children=())
    change = decide(admitted[0], planned, at(1))
    (said,) = (say.message for say in change.says)
    assert isinstance(said, JobRejected)
    assert "solved in parts" in said.reason
