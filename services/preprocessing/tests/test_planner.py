"""A family from its document to its answer, as preprocessing does it: nothing large travels, equals give equals."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from quire_contracts.family import Child, FamilyGathered, FamilyPlanned, GatherFamily
from quire_contracts.intake import parse_document
from quire_contracts.preparation import JobPrepared
from quire_contracts.result import Best, OptimizeResult, Quality, SampleResult, SweepResult, encode_result
from quire_contracts.value import CountsTable, inline_blob
from quire_preprocessing.refusal import Refused
from quire_problems import kind_of
from quire_quantum.counts import pack

PATH = {"type": "maxcut", "edges": [[i, i + 1, 1.0] for i in range(8)]}
DOCUMENT = {"kind": "optimize", "problem": PATH, "partition": {"max_variables": 4}, "seed": 3}
SAMPLE = {"kind": "sample", "program": "OPENQASM 3.0; qubit[1] q; bit[1] c; c = measure q;"}


async def answered(store, plan, result):
    """A child that has ended with an answer, as its parent's record has it."""
    kept = await store.put(encode_result(result), "application/json", inline_limit=0)
    return Child(**msgspec.structs.asdict(plan), job_id=f"id-{plan.name}", state="completed", result=kept)


def gather(command, children, **fields):
    asked = {"step": 0, "seed": command.seed} | fields
    return GatherFamily(job_id="j1", tenant="acme", document=command.document, children=tuple(children), **asked)


def solution(document):
    """The quantum answer to a part: every other variable, which cuts all edges of a path."""
    bits = tuple(k % 2 for k in range(document["problem"]["n"]))
    return OptimizeResult(best=Best(value=0.0, assignment=bits), history=(), baseline=None, quality=Quality())


async def test_a_partition_is_planned_merged_and_gathered(make_preparer, found, command_for):
    preparer = make_preparer()
    store, (command, body) = preparer.store, command_for(DOCUMENT)
    planned = await preparer.prepare(command, body)
    assert isinstance(planned, FamilyPlanned)
    assert planned == msgspec.structs.replace(await preparer.prepare(command, body), timings=planned.timings)
    assert (planned.baseline, planned.baseline_to_come, planned.sense) == (None, True, "max")
    baseline = (await found(command, body)).baseline
    assert (baseline.value, baseline.exact) == (8.0, True)
    assert all(plan.document.inline is None for plan in planned.children)
    children = [
        await answered(store, plan, solution(msgspec.json.decode(await store.get(plan.document))))
        for plan in planned.children
    ]
    merging = await preparer.planner.gather(gather(command, children))
    assert isinstance(merging, FamilyPlanned)
    (merge,) = merging.children
    assert (merge.role, merging.step) == ("merge", 1)
    problem = parse_document(await store.get(merge.document)).problem
    assert problem.n == len(planned.children)
    best = min(itertools.product((0, 1), repeat=problem.n), key=kind_of(problem).objective)
    turned = OptimizeResult(best=Best(value=0.0, assignment=best), history=(), baseline=None, quality=Quality())
    ended = [*children, await answered(store, merge, turned)]
    outcome = await preparer.planner.gather(gather(command, ended, step=1, baseline=baseline))
    assert isinstance(outcome, FamilyGathered)
    assert outcome.result.best.value == 8.0
    assert outcome.result.quality.optimal
    assert outcome.result.partition.merged.value == 8.0
    assert [timing.stage for timing in outcome.timings] == ["gather"]


async def test_a_problem_that_is_narrow_enough_is_prepared_by_itself(make_preparer, command_for):
    prepared = await make_preparer().prepare(*command_for(DOCUMENT | {"partition": {"max_variables": 9}}))
    assert isinstance(prepared, JobPrepared)


async def test_what_goes_on_from_another_job_is_not_taken_apart(make_preparer, command_for):
    with pytest.raises(Refused) as refused:
        await make_preparer().prepare(*command_for(DOCUMENT | {"from": {"job": "earlier"}}))
    assert refused.value.problems[0].pointer == "/from"


async def test_a_sweep_is_planned_and_gathered_into_a_table(make_preparer, command_for):
    preparer = make_preparer()
    variants = [{"label": "few", "x": 1.0, "patch": {"shots": 5}}, {"label": "many", "x": 2.0}]
    command, body = command_for({"kind": "sweep", "base": SAMPLE, "variants": variants, "x": "shots"})
    planned = await preparer.prepare(command, body)
    assert [(plan.label, plan.x, plan.role) for plan in planned.children] == [
        ("few", 1.0, "variant"),
        ("many", 2.0, "variant"),
    ]
    packed = pack([{"0": 2, "1": 3}], bits=1)
    table = CountsTable(rows=1, groups=1, bits=1, data=inline_blob(packed.to_bytes(), "application/vnd.quire.counts"))
    first = await answered(preparer.store, planned.children[0], SampleResult(table=table))
    second = Child(**msgspec.structs.asdict(planned.children[1]), job_id="id-2", state="failed", reason="it rained")
    outcome = await preparer.planner.gather(gather(command, [first, second]))
    assert isinstance(outcome.result, SweepResult)
    assert outcome.result.points[0].result.counts == ({"0": 2, "1": 3},)
    assert outcome.result.points[1].result is None
    assert outcome.result.points[1].reason == "it rained"


async def test_a_table_that_is_too_large_for_a_message_goes_by_reference(make_preparer, command_for):
    preparer = make_preparer()
    command, body = command_for({"kind": "sweep", "base": SAMPLE, "variants": [{}] * 3})
    planned = await preparer.prepare(command, body)
    large = SampleResult(counts=tuple({f"{k:04b}": k + 1 for k in range(16)} for _ in range(200)))
    children = [await answered(preparer.store, plan, large) for plan in planned.children]
    outcome = await preparer.planner.gather(gather(command, children))
    assert outcome.result is None
    whole = msgspec.json.decode(await preparer.store.get(outcome.result_ref), type=SweepResult)
    assert [point.result for point in whole.points] == [large] * 3


async def test_where_no_time_is_left_what_there_is_becomes_the_answer_without_a_merge(make_preparer, command_for):
    preparer = make_preparer()
    store, (command, body) = preparer.store, command_for(DOCUMENT | {"budget": {"max_shots": 9_000}})
    planned = await preparer.prepare(command, body)
    assert planned.need_to_come == planned.children[0].need > 1, "a merge of three takes as many shots as a part"
    first, *others = planned.children
    there = await answered(store, first, solution(msgspec.json.decode(await store.get(first.document))))
    late = [Child(**msgspec.structs.asdict(plan), job_id=plan.name, state="cancelled") for plan in others]
    outcome = await preparer.planner.gather(gather(command, [there, *late], closing=True))
    assert isinstance(outcome, FamilyGathered)
    assert outcome.closing
    assert [part.source for part in outcome.result.partition.parts] == ["quantum", *["none"] * len(others)]
    assert outcome.result.partition.merge_source == "none"
