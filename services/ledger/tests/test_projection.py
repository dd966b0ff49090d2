from __future__ import annotations

import ledger_lives as lives
import msgspec
import pytest

from quire_contracts.preparation import Baseline, BaselineFound
from quire_contracts.registry import entry_of
from quire_contracts.result import Accuracy, MinimizeResult
from quire_ledger.event import decoded
from quire_ledger.projection import PROJECTED, changes_of
from quire_ledger.tables import EXECUTIONS, JOBS, PROJECTIONS, QUALITY, ROUNDS, TASKS


def rows_of(events):
    """What the changes come to, by the rule of `Change`: a model of the database in a dictionary."""
    rows = {}
    for event in events:
        for change in changes_of(event):
            place = (change.table.name, tuple(change.key.values()))
            row = rows.setdefault(place, dict(change.key))
            if change.rank is None:
                row.update(change.values)
            elif change.rank > row.get("rank", -1):
                row.update(change.values, rank=change.rank)
    return rows


def job_after(messages):
    return rows_of(lives.logged(messages))["jobs", ("acme", "j1")]


@pytest.mark.parametrize(
    ("messages", "state"),
    [
        ([lives.accepted("j1")], "queued"),
        ([lives.accepted("j1"), lives.prepared("j1")], "validated"),
        ([lives.accepted("j1"), lives.started("j0", "j1")], "running"),
        ([lives.accepted("j1"), lives.scored("j1", phase="sweep")], "running"),
        ([lives.accepted("j1"), lives.scored("j1", phase="main")], "scored"),
        ([lives.accepted("j1"), lives.failed_task("j1")], "queued"),
        ([lives.accepted("j1"), lives.advanced("j1", 1)], "running"),
        ([lives.accepted("j1"), lives.completed("j1")], "completed"),
        ([lives.accepted("j1"), lives.failed("j1")], "failed"),
        ([lives.accepted("j1"), lives.cancelled("j1")], "cancelled"),
        ([lives.rejected("j1")], "rejected"),
    ],
)
def test_each_event_leads_the_job_to_its_state(messages, state):
    assert job_after(messages)["state"] == state
    assert {entry_of(message).type for message in messages} <= PROJECTED


def test_an_ended_job_stays_ended_whatever_comes_late():
    row = job_after([lives.accepted("j1"), lives.cancelled("j1"), lives.scored("j1"), lives.completed("j1")])
    assert (row["state"], row["reason"], row["shots"]) == ("cancelled", "no longer needed", None)
    assert row["ended_at"] == row["updated_at"]


def test_an_acceptance_is_read_once_and_only_under_the_jobs_own_key():
    answer_to_another = lives.event(lives.accepted("j1"), 5, key="submission-9")
    said_again = lives.event(lives.accepted("j1", repeated=True), 7)
    assert changes_of(answer_to_another) == ()
    assert changes_of(said_again) == ()


def test_a_whole_life_fills_every_projection():
    rows = rows_of(lives.logged([*lives.life("j1"), lives.accepted("j2", replay_of="j1", parent="j1")]))
    assert {name for name, _ in rows} == {table.name for table in PROJECTIONS}
    job = rows["jobs", ("acme", "j1")]
    assert (job["kind"], job["tags"]) == ("optimize", '{"a":"1","b":"2"}')
    assert job["targets"] == '["qiskit:aer","simulation"]'
    assert (job["shots"], job["cost_usd"], job["degraded"]) == (4000, 0.5, False)
    assert rows["tasks", ("acme", "j1", "round-2", 1)]["fault_code"] == "device-offline"
    assert rows["tasks", ("acme", "j1", "final", 1)]["shots"] == 2000
    assert rows["executions", ("acme", "j1", "final", 1, 0)]["transpiler"] == '{"level":1}'
    assert rows["rounds", ("acme", "j1", 2)]["objective"] == 7.0
    quality = rows["quality", ("acme", "j1")]
    assert (quality["baseline_value"], quality["baseline_exact"], quality["approximation_ratio"]) == (7.0, True, 1.0)
    assert quality["source"] == "quantum"


def test_a_baseline_is_the_same_whether_it_came_with_the_preparation_or_beside_it():
    baseline = Baseline("tabu", 7.0, (0, 1), exact=False, bound=8.0, bound_method="linear relaxation", gap=0.125)
    prepared = lives.prepared("j1")
    before = msgspec.structs.replace(
        prepared, preparation=msgspec.structs.replace(prepared.preparation, baseline=baseline), baseline_seconds=0.5
    )
    beside = BaselineFound("j1", "acme", baseline, baseline_seconds=0.5)
    key = ("quality", ("acme", "j1"))
    one, other = (rows_of(lives.logged([lives.accepted("j1"), said]))[key] for said in (before, beside))
    assert one == other
    assert decoded(entry_of(BaselineFound).type, lives.event(beside, 3).data) == beside, "and it is read at all"
    assert (one["baseline_bound"], one["baseline_bound_method"], one["baseline_gap"]) == (
        8.0,
        "linear relaxation",
        0.125,
    )


def test_an_energy_has_its_quality_too():
    baseline = Baseline(method="exact", value=-4.0, assignment=(), exact=True)
    result = MinimizeResult(
        energy=-3.0, std_error=0.0, parameters=(), history=(), baseline=baseline, accuracy=Accuracy(error=1.0)
    )
    said = lives.completed("j1", kind="minimize", result=result)
    quality = rows_of(lives.logged([lives.accepted("j1"), said]))["quality", ("acme", "j1")]
    assert (quality["value"], quality["gap"], quality["source"]) == (-3.0, 0.25, "quantum")


def test_every_message_that_changes_a_row_is_read():
    found = BaselineFound("j1", "acme", Baseline("tabu", 7.0, (0, 1), exact=False))
    ends = [lives.failed("j1"), lives.cancelled("j1"), lives.rejected("j1")]
    for event in lives.logged([*lives.life("j1"), found, *ends]):
        assert not changes_of(event) or event.type in PROJECTED


def test_every_change_names_columns_that_exist_and_whole_keys():
    for event in lives.logged([*lives.life("j1"), lives.failed("j2"), lives.cancelled("j3"), lives.rejected("j4")]):
        for change in changes_of(event):
            assert set(change.key) == {column.name for column in change.table.primary_key}
            assert set(change.values) < set(change.table.c.keys())
            assert change.rank is None or "rank" in change.table.c


def test_an_end_states_every_ranked_column_so_that_no_outranked_word_shows_through():
    said = (lives.completed("j1"), lives.failed("j1"), lives.cancelled("j1"), lives.rejected("j1"))
    ends = [changes_of(lives.event(end, 9))[0] for end in said]
    assert len({frozenset(change.values) for change in ends}) == 1
    ranked = [column.name for column in JOBS.c][[column.name for column in JOBS.c].index("rank") + 1 :]
    assert set(ends[0].values) == set(ranked)


def test_what_this_release_does_not_know_changes_nothing():
    known = lives.event(lives.refused("j1"), 3)
    unknown = msgspec.structs.replace(known, type="io.quire.job.dreamt.v7", message=None)
    assert changes_of(known) == ()
    assert changes_of(unknown) == ()


def test_an_answer_too_large_for_its_message_leaves_only_the_quality_open():
    rows = rows_of(lives.logged([lives.accepted("j1"), lives.completed("j1", result=None, result_ref=lives.REF)]))
    assert rows["jobs", ("acme", "j1")]["state"] == "completed"
    assert not [name for name, _ in rows if name in (QUALITY.name, ROUNDS.name, TASKS.name, EXECUTIONS.name)]
