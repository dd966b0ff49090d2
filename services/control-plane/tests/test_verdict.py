"""What a loop's record says of its answer: the verdict, the confidence with its parts, and what became of it."""

from __future__ import annotations

import msgspec
import pytest
from control_plane_cases import NOON, admitted, answer, at, execution, failed, fault, prepared, run_task

from quire_contracts.job import CancelJob, ExpireJob, JobCompleted
from quire_contracts.partitioned import Partitioned, Polish, Stage
from quire_contracts.preparation import Baseline, Tried
from quire_contracts.result import Best, OptimizeResult, Quality
from quire_contracts.task import TaskQuality
from quire_contracts.value import Timing
from quire_control_plane.decide import decide
from quire_control_plane.verdict import judge

DOCUMENT = {
    "kind": "optimize",
    "problem": {"type": "maxcut", "edges": [[0, 1, 3.0]]},
    "seed": 5,
    "shots": 100,
    "algorithm": {"name": "qaoa", "layers": 1, "optimizer": {"name": "spsa", "rounds": 1}},
}
SHOTS = 1_000


def final(task, value, *, hits, feasible=True, **quality):
    """The last sampling: 1,000 shots in two seconds, of which so many hit the best value."""
    ran = msgspec.structs.replace(
        execution(task), shots=SHOTS, phase="final", execute_seconds=2.0, task_id=task.task_id, simulator=False
    )
    figures = Quality(success_probability=hits / SHOTS if feasible else None, **quality)
    return msgspec.structs.replace(
        answer(task, best=value),
        best=Best(value, (0, 1), feasible=feasible),
        quality=TaskQuality(figures=figures, shots=SHOTS),
        executions=(ran,),
        timings=(Timing("execute", "qpu", NOON, 2.0),),
    )


def begun(*, rules=None, exact=True, bound=None, **baseline):
    document = DOCUMENT | ({} if rules is None else {"rules": rules})
    record = admitted(msgspec.json.encode(document)).record
    said = prepared(record, start_points=1, exact=exact)
    known = msgspec.structs.replace(said.preparation.baseline, bound=bound, **baseline)
    return decide(
        record,
        msgspec.structs.replace(said, preparation=msgspec.structs.replace(said.preparation, baseline=known)),
        at(1),
    )


def sampled(change, *, round_seconds=5.0):
    """The job up to its last sampling."""
    while (task := run_task(change)).phase != "final":
        energies = [-1.0 - 0.1 * row for row in range(task.parameters.rows)]
        timing = Timing("execute", "qpu", NOON, round_seconds)
        change = decide(change.record, msgspec.structs.replace(answer(task, energies), timings=(timing,)), at(2))
    return change, task


def ended(value, *, hits, moment=None, feasible=True, quality=None, **given):
    change, task = sampled(begun(**given))
    change = decide(change.record, final(task, value, hits=hits, feasible=feasible, **(quality or {})), moment or at(3))
    record = change.record
    assert record.state == "completed"
    (said,) = (say.message for say in change.says if isinstance(say.message, JobCompleted))
    assert (said.needs_review, said.result) == (record.needs_review, record.result)
    assert isinstance(record.result, OptimizeResult)
    return record


def test_where_the_classical_answer_wins_the_verdict_says_so():
    record = ended(2.0, hits=400, quality={"approximation_ratio": 2 / 3, "gap": 1 / 3, "optimal": False})
    verdict = record.result.verdict
    assert (verdict.call, verdict.certainty, verdict.proven) == ("classical better", 1.0, True)
    assert (verdict.value, verdict.classical, verdict.bound) == (2.0, 3.0, 3.0)
    assert verdict.gap == pytest.approx(1 / 3)
    assert (verdict.success_probability, verdict.tts99_shots, verdict.tts99_seconds) == (0.0, None, None)
    assert (verdict.answer, verdict.confidence.outcome) == ("classical", "blend")
    assert record.needs_review == ""


def test_two_proven_optima_tie_and_the_time_to_them_is_end_to_end():
    verdict = ended(3.0, hits=10, quality={"approximation_ratio": 1.0, "gap": 0.0, "optimal": True}).result.verdict
    assert (verdict.call, verdict.certainty, verdict.answer) == ("tie", 1.0, "quantum")
    assert verdict.success_probability == 0.01
    assert verdict.tts99_shots == 459
    assert verdict.tts99_seconds == pytest.approx(5.0 + 459 * 2.0 / SHOTS)
    assert (verdict.quantum_seconds, verdict.classical_seconds) == (7.0, 0.01)
    assert verdict.spread is None


@pytest.mark.parametrize(("hits", "call"), [(1, "inconclusive"), (40, "quantum better")])
def test_a_better_answer_counts_if_it_would_be_found_again(hits, call):
    verdict = ended(3.5, hits=hits, exact=False, bound=4.0).result.verdict
    assert verdict.call == call
    assert (verdict.bound, verdict.proven) == (4.0, False)
    assert (verdict.certainty is None) == (call == "inconclusive")
    assert any("success probability rests on" in remark for remark in verdict.remarks) == (hits < 10)


def test_the_methods_that_found_the_classical_value_say_whether_they_would_again():
    lucky = (Tried("greedy", value=1.0, feasible=True), Tried("annealing", value=3.0, feasible=True, runs=100, hits=1))
    assert ended(2.0, hits=400, exact=False, tried=lucky).result.verdict.call == "inconclusive"
    surely = (*lucky, Tried("tabu", value=3.0, feasible=True, runs=100, hits=60))
    assert ended(2.0, hits=400, exact=False, tried=surely).result.verdict.call == "classical better"


def test_beyond_the_bound_a_person_is_asked():
    record = ended(5.0, hits=400, exact=False, bound=4.0)
    assert "better than the bound 4, which cannot be" in record.needs_review
    assert record.result.verdict.call == "inconclusive"
    assert (record.result.verdict.confidence.outcome, record.result.source) == ("person", "quantum")


def test_the_parts_of_a_confidence_are_shown_and_their_product_is_the_score():
    change, task = sampled(begun())
    change = decide(change.record, failed(task, fault("transient", code="check-totals")), at(3))
    task = run_task(change)
    record = decide(
        change.record, final(task, 2.4, hits=0, approximation_ratio=0.8), at(4, down=("qiskit:aer",))
    ).record
    confidence = record.result.verdict.confidence
    parts = {part.name: part.value for part in confidence.parts}
    assert parts["samples"] == pytest.approx(0.5, abs=1e-3)
    assert parts["baseline"] == 0.8
    assert parts["errors"] == pytest.approx(len(record.executions) / (len(record.executions) + 1))
    assert parts["health"] == 0.5
    product = 1.0
    for value in parts.values():
        product *= value
    assert confidence.score == pytest.approx(product)
    assert all(part.why for part in confidence.parts)
    assert "check-totals" in confidence.parts[2].why
    assert "in maintenance" in confidence.parts[1].why


def test_runs_under_an_earlier_calibration_count_half():
    change, task = sampled(begun())
    said = final(task, 3.0, hits=100)
    drifted = msgspec.structs.replace(said.executions[0], calibration_id="tuesday")
    record = decide(change.record, msgspec.structs.replace(said, executions=(drifted,)), at(3)).record
    health = record.result.verdict.confidence.parts[1]
    earlier = len(record.executions) - 1
    assert health.value == pytest.approx(1 - earlier / 2 / len(record.executions))
    assert f"{earlier} of {earlier + 1} runs were under an earlier calibration" in health.why


def test_a_broken_rule_marks_the_job_for_a_person_and_leaves_the_answer():
    record = ended(2.0, hits=400, rules={"objective_at_least": 2.5})
    assert record.needs_review == "the objective is 2, it has to be 2.5 at least"
    assert (record.state, record.degraded, record.result.best.value) == ("completed", False, 2.0)


def test_a_broken_rule_gives_way_to_the_classical_answer_where_it_says_so():
    record = ended(2.0, hits=400, rules={"objective_at_least": 2.5, "otherwise": "classical"})
    assert (record.degraded, record.result.source, record.result.best.value) == (True, "classical", 3.0)
    assert "the quantum answer was rejected: the objective is 2" in record.reason
    verdict = record.result.verdict
    assert (verdict.value, verdict.answer, verdict.confidence.outcome) == (2.0, "classical", "reject")
    assert record.needs_review == ""


def test_a_classical_answer_that_breaks_the_rules_too_is_no_way_out():
    record = ended(2.0, hits=400, rules={"objective_at_least": 3.5, "otherwise": "classical"})
    assert (record.result.source, record.degraded) == ("quantum", False)
    assert "3.5 at least" in record.needs_review


def test_far_below_the_classical_answer_the_operators_rules_ask_for_a_person():
    record = ended(1.0, hits=400, quality={"approximation_ratio": 1 / 3})
    assert "the approximation ratio is 0.333333, it has to be 0.5 at least" in record.needs_review


@pytest.mark.parametrize("rules", [None, {"objective_at_least": 3.5}])
def test_without_a_quantum_answer_nothing_is_concluded_and_the_jobs_rules_hold_all_the_same(rules):
    change = begun(rules=rules)
    record = decide(change.record, ExpireJob("job-1", "acme"), at(9)).record
    verdict = record.result.verdict
    assert (record.result.source, verdict.call, verdict.answer) == ("classical", "inconclusive", "classical")
    assert (verdict.value, verdict.confidence) == (None, None)
    assert bool(record.needs_review) == (rules is not None)


def test_where_no_sample_is_feasible_the_classical_answer_is_better():
    record = ended(9.0, hits=0, feasible=False)
    assert (record.result.source, record.result.verdict.call) == ("classical", "classical better")
    assert (record.result.verdict.value, record.result.verdict.feasible) == (9.0, False)


def test_a_cancelled_job_needs_no_review():
    assert decide(begun().record, CancelJob("job-1", "acme"), at(2)).record.needs_review == ""


def parted(value: float, merged: float, source: str = "quantum") -> OptimizeResult:
    """The answer of a problem in two parts, polished."""
    stage = Stage(merged)
    report = Partitioned(
        max_variables=1,
        parts=(),
        joined=stage,
        merged=stage,
        polished=Stage(value),
        polish=Polish(moves=1, budget=10, seconds=0.1),
        merge_source=source,
        coupled_weight=0.5,
    )
    known = Baseline(method="exact", value=3.0, assignment=(0, 1), exact=True, worst=0.0)
    best = Best(value, (0, 1))
    return OptimizeResult(best, (), known, Quality(), source=source, sense="max", partition=report)


def test_of_a_problem_in_parts_the_verdict_is_on_what_was_there_before_the_classical_polish():
    record = begun().record
    verdict = judge(record, parted(3.0, 2.0), at(2)).verdict
    assert (verdict.call, verdict.value, verdict.answer) == ("classical better", 2.0, "quantum")
    assert "their merged answer, 2, which a classical polish brought to 3" in verdict.remarks[0]
    assert judge(record, parted(3.0, 3.0), at(2)).verdict.call == "tie"
    nobody = judge(record, parted(3.0, 3.0, "classical"), at(2)).verdict
    assert (nobody.call, nobody.value, nobody.reason) == ("inconclusive", None, "no part of the answer is quantum")


def test_what_was_answered_from_memory_has_no_time_to_solution_in_seconds():
    change, task = sampled(begun())
    said = final(task, 3.0, hits=10)
    kept = msgspec.structs.replace(said.executions[0], provider_metadata={"cached": True}, execute_seconds=0.0)
    verdict = decide(change.record, msgspec.structs.replace(said, executions=(kept,)), at(3)).record.result.verdict
    assert (verdict.tts99_shots, verdict.tts99_seconds) == (459, None)
    assert any("from memory" in remark for remark in verdict.remarks)
