"""The tree of a job's children, a sweep's table and a partition's stages, as a person reads them."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console

from quire.families import family_tree, partition_table, summary_lines, sweep_table
from quire_contracts.family import Child
from quire_contracts.partitioned import Partitioned, PartReport, Polish, Stage
from quire_contracts.ran import Ran, RanAt
from quire_contracts.result import EstimateResult, Point, SampleResult, SweepResult, SweepSummary
from quire_contracts.verdict import Spread


def printed(what: object) -> str:
    console = Console(file=io.StringIO(), width=160, highlight=False)
    console.print(what)
    return console.file.getvalue()


def child(name: str, **fields: object) -> Child:
    return Child(**{"name": name, "role": "part", "job_id": f"id-{name}", "state": "completed"} | fields)


def test_each_child_is_a_line_with_its_state_figure_and_id() -> None:
    children = (
        child("part-0", label="1 of 3", variables=(0, 1), value=2.5, source="quantum", shots=100),
        child("part-1", label="2 of 3", variables=(2,)),
        child("part-2", label="3 of 3", state="failed", reason="the [device] burns"),
        child("merge", role="merge", label="of 3 parts", state="planned"),
    )
    lines = printed(family_tree(children)).splitlines()
    assert "4 children, 3 of them over" in lines[0]
    assert all(word in lines[1] for word in ("part 1 of 3", "2 variables", "value 2.5", "100 shots", "id-part-0"))
    assert "nothing couples them" in lines[2]
    assert "failed" in lines[3]
    assert "the [device] burns" in lines[3]
    assert "merge of 3 parts" in lines[4]


def test_a_long_family_is_cut_and_says_so() -> None:
    assert "… 60 more" in printed(family_tree([child(f"c{k}") for k in range(100)]))
    assert "… 95 more" in printed(family_tree([child(f"c{k}") for k in range(100)], 5))


def test_whatever_is_to_be_said_of_a_child_of_a_long_family_is_said() -> None:
    children = [child(f"c{k}") for k in range(100)]
    children[70] = child("c70", state="failed", reason="it rains")
    children.append(child("merge", role="merge", value=-35.0))
    lines = printed(family_tree(children)).splitlines()
    assert len(lines) == 42
    assert "c37 " in lines[38]
    assert "it rains" in lines[39]
    assert "value -35" in lines[40]
    assert "… 61 more" in lines[41]


def test_a_sweeps_table_has_x_where_a_variant_has_one_and_more_than_a_figure_where_there_is_more() -> None:
    points = (
        Point(label="a", x=0.5, job_id="1", state="completed", value=-1.25, std_error=0.5,
              result=EstimateResult(values=((-1.25, 1.0),), std_errors=((0.5, 0.0),))),
        Point(label="b", x=None, job_id="2", state="failed", reason="it [rained]"),
        Point(label="c", x=2.0, job_id="3", state="completed", result=SampleResult(counts=({"0": 3, "1": 9},))),
    )  # fmt: skip
    text = printed(sweep_table(SweepResult(points=points, x="distance")))
    assert "distance" in text
    assert "-1.250000 ± 0.500000" in text
    assert "the first of 1 x 2 values" in text
    assert "it [rained]" in text
    assert "1: 9, 0: 3" in text
    bare = SweepResult(points=(Point(label="a", x=None, job_id="1", state="completed"),))
    assert "distance" not in printed(sweep_table(bare))


def test_a_partitions_stages_are_told_apart() -> None:
    parts = (
        PartReport(name="part-0", variables=(0, 1), source="quantum", job_id="p"),
        PartReport(name="part-1", variables=(2, 3, 4), source="none"),
    )
    report = Partitioned(
        max_variables=4,
        parts=parts,
        joined=Stage(value=5.0, feasible=False),
        merged=Stage(value=6.0),
        polished=Stage(value=7.0),
        polish=Polish(moves=3, budget=10, seconds=0.25),
        merge_source="quantum",
        coupled_weight=0.75,
    )
    text = printed(partition_table(report))
    assert "2 parts of 2, 3 variables" in text
    assert "1 quantum, 1 none" in text
    assert "5 (infeasible)" in text
    assert "3 of at most 10 flips, 0.250 s on a CPU" in text
    assert "75% of the couplings' weight" in text


def test_a_sweep_over_seeds_shows_its_spread():
    points = tuple(
        Point(label=f"seed {n}", x=None, job_id=f"j{n}", state="completed", value=60.0 + n) for n in range(2)
    )
    spread = Spread(runs=2, least=60.0, mean=60.5, greatest=61.0, std_dev=0.7071)
    shown = " ".join(printed(sweep_table(SweepResult(points=points, spread=spread))).split())
    assert "over 2 seeds: 60 to 61, mean 60.5, standard deviation 0.707" in shown


def test_a_sweep_in_numbers_says_how_many_verdicts_call_what_and_where_it_ran():
    at = RanAt(target="qiskit:aer", runs=3, earlier=1, last_at=datetime(2026, 11, 22, tzinfo=UTC))
    ran = Ran(jobs=3, runs=4, failed=2, fault_codes=("check-totals",), at=(at,), seconds=1.5)
    summary = SweepSummary(
        states={"failed": 1, "completed": 2},
        degraded=1,
        calls={"classical better": 1, "tie": 1},
        outcomes={"person": 1},
        ran=ran,
    )
    text = printed("\n".join(summary_lines(summary)))
    assert "variants: 2 completed, 1 failed (1 of them degraded)" in text
    assert "verdicts: 1 classical better, 1 tie" in text
    assert "for a person to look at: 1 of them" in text
    assert "4 runs in 3 jobs, 1.500 s: 4 at qiskit:aer, 2 failed (check-totals)" in text
    assert summary_lines(SweepSummary(states={"completed": 2})) == ("variants: 2 completed",)
