"""Problems in parts: nothing is left out, energies agree at every stage, the problem says what an answer is worth."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import msgspec
import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_contracts.document import OptimizeJob
from quire_contracts.family import Child, GatherFamily
from quire_contracts.intake import parse_document
from quire_contracts.partitioned import Partition
from quire_contracts.problems import IndependentSet, Ising, MaxCut
from quire_contracts.ran import Ran
from quire_contracts.result import Best, EstimateResult, OptimizeResult, Quality, SweepSummary
from quire_contracts.value import inline_blob
from quire_contracts.verdict import Confidence, Verdict
from quire_preprocessing.families import gathering, merging, planning
from quire_preprocessing.families.polishing import polished
from quire_preprocessing.families.splitting import split, weight_within
from quire_preprocessing.optimize.ising import energy_of
from quire_preprocessing.refusal import Refused
from quire_problems import kind_of
from quire_testing.clock import ManualClock

KARATE = json.loads((Path(__file__).parents[3] / "examples" / "karate_club.json").read_text())
WEIGHT = st.integers(-8, 8).map(lambda whole: whole / 2)


@st.composite
def energies(draw, most=14):
    n = draw(st.integers(5, most))
    pairs = list(itertools.combinations(range(n), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=3 * n, unique=True))
    couplings = tuple((i, j, draw(WEIGHT.filter(bool))) for i, j in chosen)
    fields = tuple(draw(st.lists(WEIGHT, min_size=n, max_size=n))) if draw(st.booleans()) else (0.0,) * n
    return energy_of(Ising(n=n, h=fields, j=couplings))


def bits(n):
    return st.lists(st.integers(0, 1), min_size=n, max_size=n).map(tuple)


def karate():
    document = parse_document(json.dumps(KARATE).encode())
    assert isinstance(document, OptimizeJob)
    return document


@given(energies(most=40), st.integers(4, 12), st.integers(0, 3))
@settings(max_examples=60)
def test_each_variable_is_in_one_part_none_too_wide_and_no_two_could_be_one(energy, width, seed):
    parts = split(energy, width, seed)
    assert sorted(itertools.chain(*parts)) == list(range(energy.variables))
    assert max(map(len, parts)) <= width
    assert all(len(one) + len(other) > width for one, other in itertools.combinations(parts, 2))
    assert len(parts) <= 2 * energy.variables / width + 1
    assert split(energy, width, seed) == parts


def test_two_cliques_with_a_bridge_are_taken_apart_at_the_bridge():
    graph = nx.barbell_graph(8, 0)
    energy = energy_of(MaxCut(edges=tuple((i, j, 1.0) for i, j in graph.edges)))
    assert split(energy, 8, 1) == (tuple(range(8)), tuple(range(8, 16)))
    assert weight_within(energy, split(energy, 8, 1)) == pytest.approx(56 / 57)


def test_the_karate_club_in_parts_of_at_most_twelve_keeps_most_of_its_ties():
    energy = energy_of(karate().problem)
    parts = split(energy, 12, 1977)
    assert max(map(len, parts)) <= 12
    assert weight_within(energy, parts) > 0.5


def test_a_part_of_a_constrained_problem_is_the_problem_with_all_other_variables_0():
    energy = energy_of(IndependentSet(edges=tuple((i, (i + 1) % 9) for i in range(9)), weights=tuple(range(1, 10))))
    part = (1, 2, 5, 6)
    inner = kind_of(merging.part_problem(energy, part))
    rest = energy.of((0,) * 9) - inner.objective((0,) * 4)
    for answer in itertools.product((0, 1), repeat=4):
        whole = merging.laid_out(9, {part: answer})
        assert energy.of(whole) == pytest.approx(rest + inner.objective(answer))


@given(energies().flatmap(lambda energy: st.tuples(st.just(energy), bits(energy.variables), st.integers(4, 6))))
def test_the_merge_changes_the_energy_as_turning_the_parts_over_does(case):
    energy, assignment, width = case
    parts = split(energy, width, 0)
    problem = merging.merge_problem(energy, parts, assignment)
    merge = kind_of(problem)
    rest = energy.of(assignment) - merge.objective((0,) * len(parts))
    for turns in itertools.product((0, 1), repeat=len(parts)):
        turned = merging.turned(assignment, parts, turns)
        assert energy.of(turned) == pytest.approx(rest + merge.objective(turns))


@given(energies().flatmap(lambda energy: st.tuples(st.just(energy), bits(energy.variables))))
def test_polishing_never_makes_worse_and_ends_where_no_two_flips_help(case):
    energy, assignment = case
    final, moves = polished(energy, assignment, 10_000)
    assert energy.of(final) <= energy.of(assignment)
    assert (moves == 0) == (final == assignment)
    flips = [*itertools.combinations(range(energy.variables), 1), *itertools.combinations(range(energy.variables), 2)]
    for flip in flips:
        near = tuple(bit ^ (i in flip) for i, bit in enumerate(final))
        assert energy.of(near) >= energy.of(final) - 1e-6


def test_polishing_keeps_to_its_budget():
    energy = energy_of(Ising(n=6, h=(1.0,) * 6))
    assert polished(energy, (0,) * 6, 2) == ((1, 1, 0, 0, 0, 0), 2)
    assert polished(energy, (0,) * 6, 0) == ((0,) * 6, 0)


def test_the_members_of_a_partition_are_smaller_problems_of_the_same_kind_of_job():
    document = karate()
    energy = energy_of(document.problem)
    parts = split(energy, 12, 7)
    for member, part in zip(planning.parts(document, energy, parts), parts, strict=True):
        job = parse_document(member.body)
        assert (job.problem.n, job.shots, job.algorithm) == (len(part), document.shots, document.algorithm)
        assert (job.seed, job.budget.max_shots, job.deadline_seconds, job.idempotency_key) == (None, None, None, None)
        inner = kind_of(job.problem)
        for assignment in ((0,) * len(part), (1, *(0,) * (len(part) - 1))):
            whole = merging.laid_out(energy.variables, {part: assignment})
            cut = sum(w for i, j, w in document.problem.edges if {i, j} <= set(part) and whole[i] != whole[j])
            within = sum(w for i, j, w in document.problem.edges if {i, j} <= set(part))
            assert within / 2 - inner.objective(assignment) == pytest.approx(cut), "the cut's weight within the part"


def test_a_merge_that_is_too_wide_is_a_partition_itself_without_a_polish():
    document = karate()
    wide = planning.merge(document, Ising(n=9, j=((0, 1, 1.0),)), Partition(max_variables=8, polish_moves=5))
    assert parse_document(wide.body).partition == Partition(max_variables=8, polish_moves=0)
    narrow = planning.merge(document, Ising(n=8, j=((0, 1, 1.0),)), Partition(max_variables=8))
    assert not isinstance(parse_document(narrow.body).partition, Partition)


def test_what_is_wider_than_can_be_run_is_taken_apart_and_what_is_far_too_wide_refused():
    narrow = OptimizeJob(problem=MaxCut(edges=((0, 1, 1.0),), n=24))
    wide = OptimizeJob(problem=MaxCut(edges=((0, 1, 1.0),), n=25))
    assert planning.partition_of(narrow, 24, 24) is None
    assert planning.partition_of(wide, 25, 24) == Partition(max_variables=12)
    asked = OptimizeJob(problem=narrow.problem, partition=Partition(max_variables=30))
    assert planning.partition_of(asked, 24, 20) == Partition(max_variables=20)
    with pytest.raises(Refused) as refused:
        planning.partition_of(wide, 513, 24)
    assert "512" in refused.value.problems[0].limit


def command(children, step=1):
    return GatherFamily(
        job_id="j", tenant="acme", document=inline_blob(b"{}", "application/json"), seed=1, step=step, children=children
    )


def part(number, variables):
    return Child(name=f"part-{number}", role="part", job_id=f"p{number}", state="completed", variables=variables)


def solution(*assignment, source="quantum"):
    best = Best(value=0.0, assignment=assignment)
    return OptimizeResult(best=best, history=(), baseline=None, quality=Quality(), source=source)


def test_the_answer_says_apart_what_the_parts_the_merge_and_the_polish_made_of_it():
    problem = MaxCut(edges=((0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (3, 4, 1.0), (4, 5, 1.0)))
    puzzle = gathering.Puzzle(kind_of(problem), energy_of(problem), Partition(max_variables=4))
    merge = Child(name="merge", role="merge", job_id="m", state="completed")
    children = (part(0, (0, 1, 2)), part(1, (3, 4, 5)), merge)
    results = {
        "part-0": solution(0, 1, 0),
        "part-1": solution(0, 1, 1, source="classical"),  # one edge is not cut
        "merge": solution(0, 1),
    }
    result = gathering.solved(puzzle, command(children), results, ManualClock())
    report = result.partition
    assert [stage.value for stage in (report.joined, report.merged, report.polished)] == [3.0, 4.0, 5.0]
    assert result.best.value == 5.0
    assert report.polish.moves == 1
    assert [each.source for each in report.parts] == ["quantum", "classical"]
    assert (report.merge_source, result.source, result.sense) == ("quantum", "quantum", "max")


def test_a_merge_that_would_make_it_worse_is_not_followed():
    problem = MaxCut(edges=((0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0)))
    puzzle = gathering.Puzzle(kind_of(problem), energy_of(problem), Partition(max_variables=4, polish_moves=0))
    children = (part(0, (0, 1)), part(1, (2, 3)), Child(name="merge", role="merge", job_id="m", state="completed"))
    results = {"part-0": solution(0, 1), "part-1": solution(0, 1), "merge": solution(0, 1)}
    report = gathering.solved(puzzle, command(children), results, ManualClock()).partition
    assert report.joined.value == report.merged.value == 3.0


def test_feasibility_is_the_problems_word_at_every_stage():
    problem = IndependentSet(edges=((0, 1), (1, 2), (2, 3), (3, 4)))
    puzzle = gathering.Puzzle(kind_of(problem), energy_of(problem), Partition(max_variables=4))
    children = (part(0, (0, 1)), part(1, (2, 3, 4)))
    results = {"part-0": solution(1, 1), "part-1": solution(1, 0, 1)}
    result = gathering.solved(puzzle, command(children, 0), results, ManualClock())
    assert not result.partition.joined.feasible
    assert result.partition.polished.feasible
    assert result.best.feasible
    assert result.best.value == 3.0


def test_a_part_without_an_answer_is_named_and_left_to_the_merge_and_the_polish():
    problem = MaxCut(edges=((0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0)))
    puzzle = gathering.Puzzle(kind_of(problem), energy_of(problem), Partition(max_variables=4))
    children = (part(0, (0, 1)), part(1, (2, 3)))
    result = gathering.solved(puzzle, command(children, 0), {"part-0": solution(0, 1)}, ManualClock())
    assert [each.source for each in result.partition.parts] == ["quantum", "none"]
    assert result.partition.joined.value == 2.0
    assert result.best.value == 3.0


def test_a_sweeps_table_has_each_variant_with_its_figure_or_why_it_has_none():
    document = {
        "kind": "sweep",
        "x": "field",
        "base": {"kind": "estimate", "program": "OPENQASM 3.0; qubit q;", "observables": [{"Z": 1.0}]},
        "variants": [{"label": "weak", "x": 0.1}, {"label": "strong", "x": 2.0, "patch": {"precision": 0.1}}],
    }
    sweep = parse_document(json.dumps(document).encode())
    members = planning.variants(sweep, 24)
    assert [parse_document(member.body).precision for member in members] == [0.0, 0.1]
    assert [parse_document(member.body).name for member in members] == ["sweep: weak", "sweep: strong"]
    children = [
        Child(name=m.name, role="variant", job_id=m.name, label=m.label, x=m.x, state=state, reason=reason)
        for m, state, reason in zip(members, ("completed", "failed"), ("", "it rained"), strict=True)
    ]
    results = {"variant-0": EstimateResult(values=((0.5,),), std_errors=((0.25,),))}
    found = gathering.table(sweep, command(tuple(children), 0), results)
    assert found.x == "field"
    assert [(p.label, p.x, p.value, p.std_error, p.reason) for p in found.points] == [
        ("weak", 0.1, 0.5, 0.25, ""),
        ("strong", 2.0, None, None, "it rained"),
    ]


def test_a_sweeps_summary_counts_ends_verdicts_and_what_was_used():
    base = {name: value for name, value in KARATE.items() if name not in ("name", "seed")}
    sweep = parse_document(json.dumps({"kind": "sweep", "base": base, "variants": [{}, {}, {}]}).encode())
    children = tuple(
        Child(
            name=f"variant-{k}", role="variant", job_id=f"v{k}", state=state, shots=100, cost_usd=0.5, degraded=k == 1
        )
        for k, state in enumerate(("completed", "completed", "failed"))
    )
    confidence = Confidence(0.5, (), "person")
    said = Verdict(call="tie", reason="", confidence=confidence), Verdict(call="classical better", reason="")
    results = {
        f"variant-{k}": msgspec.structs.replace(solution(0, 1), verdict=verdict) for k, verdict in enumerate(said)
    }
    ran = Ran(jobs=3, runs=7)
    asked = msgspec.structs.replace(command(children, 0), ran=ran)
    summary = gathering.table(sweep, asked, results).summary
    assert summary == SweepSummary(
        states={"completed": 2, "failed": 1},
        degraded=1,
        calls={"tie": 1, "classical better": 1},
        outcomes={"person": 1},
        shots=300,
        cost_usd=1.5,
        ran=ran,
    )
