"""The short form of the chaos runs: what holds here is held for hours by hand, see README.md."""

from __future__ import annotations

import crash_points
import pytest
from killing import kills
from rounds import every_round


def broken(trial):
    return [(limit.name, limit.measured) for limit in trial.report.limits if not limit.holds] + trial.report.remarks


async def test_services_and_the_broker_killed_at_random(trial):
    run = trial("kills", jobs=40, kills=8, **{"broker-kills": 1})
    await kills(run)
    measured = {limit.name: limit for limit in run.report.limits}
    of_time = "seconds from the last kill to the last end"  # a figure for the long form, on a machine of its own
    assert [name for name, limit in measured.items() if not limit.holds and name != of_time] == [], broken(run)
    assert run.report.rows[1]["kills"] == 9
    assert sum(row.get("provider jobs", 0) for row in run.report.rows) > 0


@pytest.mark.parametrize("mode", ["token", "tag", "none"])
async def test_a_gateway_that_dies_between_its_call_and_the_answer(trial, monkeypatch, mode):
    monkeypatch.setattr(crash_points, "POINTS", ("called",))
    monkeypatch.setattr(crash_points, "TARGETS", {mode: crash_points.TARGETS[mode]})
    run = trial("crash-points", crashes=2, first=0, points=1, **{"in-flight": 12})
    await crash_points.crash_points(run)
    assert [limit.name for limit in run.report.limits if not limit.holds] == [], broken(run)
    (row,) = run.report.rows
    assert row["crashes"] >= 2
    assert (row["parked"] > 0) == (mode == "none")


async def test_loops_whose_control_plane_dies_in_every_round(trial):
    run = trial("rounds", optimizers=2, first=0, rounds=2)
    await every_round(run)
    assert [limit.name for limit in run.report.limits if not limit.holds] == [], broken(run)
    loops = [row for row in run.report.rows if "optimizer" in row]
    assert [(row["optimizer"], row["rounds"], row["kills"]) for row in loops] == [("cobyla", 2, 2), ("powell", 2, 2)]
    assert all(row["evaluations"] == 3 for row in loops), "one each round, and the last sampling"
