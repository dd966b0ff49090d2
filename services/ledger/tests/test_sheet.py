"""The view for a person: what is known of a job, its children, the verdict, what came late, and what it cost."""

from __future__ import annotations

import ledger_lives as lives
import pytest
from sqlalchemy import text

from quire_contracts.preparation import Baseline
from quire_contracts.result import Best, OptimizeResult, Quality
from quire_contracts.verdict import Confidence, Verdict
from quire_ledger.database import create
from quire_ledger.writing import store

VERDICT = Verdict(
    call="classical better",
    reason="by 2",
    certainty=0.9,
    value=7.0,
    feasible=True,
    classical=9.0,
    bound=10.0,
    bound_method="linear relaxation",
    gap=0.3,
    approximation_ratio=0.75,
    success_probability=0.25,
    tts99_shots=17,
    tts99_seconds=1.5,
    quantum_seconds=0.75,
    classical_seconds=0.25,
    confidence=Confidence(0.5, (), "person"),
    answer="classical",
)
BASELINE = Baseline(method="tabu", value=9.0, assignment=(0, 1), exact=False)
RESULT = OptimizeResult(Best(7.0, (0, 1)), (), BASELINE, Quality(gap=0.2), verdict=VERDICT)
LOG = lives.logged(
    [
        lives.accepted("j1"),
        lives.prepared("j1"),
        lives.accepted("c1", parent="j1", minute=1),
        lives.accepted("c2", parent="j1", minute=1),
        lives.completed("c1", result=None),
        lives.failed("c2"),
        lives.completed("j1", result=RESULT, needs_review="the gap is 0.3"),
        lives.late("j1"),
        lives.late("j1", "round-4", value=6.0),
        lives.accepted("j2", minute=2),
        lives.scored("j2"),
        lives.rejected("j3"),
    ]
)


@pytest.fixture
async def sheet(engine):
    """The rows of the view, by job."""
    await store(engine, LOG)
    async with engine.connect() as connection:
        found = (await connection.execute(text("SELECT * FROM sheet"))).mappings().all()
    return {row["job_id"]: row for row in found}


async def test_a_row_tells_all_of_a_job(sheet):
    row = sheet["j1"]
    assert (row["state"], row["children"], row["children_completed"]) == ("completed", 2, 1)
    assert (row["verdict"], row["why"], row["answer"]) == ("classical better", "by 2", "classical")
    assert (row["value"], row["classical"], row["bound"], row["bound_method"]) == (7.0, 9.0, 10.0, "linear relaxation")
    assert (row["bound_gap"], row["gap"], row["approximation_ratio"]) == (0.3, 0.2, 0.75)
    assert (row["tts99_shots"], row["tts99_seconds"], row["success_probability"]) == (17, 1.5, 0.25)
    assert (row["baseline_method"], row["confidence"], row["outcome"]) == ("tabu", 0.5, "person")
    assert (row["shots"], row["cost_usd"], row["needs_review"]) == (4000, 0.5, "the gap is 0.3")
    assert (row["late_answers"], row["late_better"], row["late_cost_usd"]) == (2, 1, 0.8)


async def test_jobs_without_an_answer_and_children_have_their_rows_too(sheet):
    assert set(sheet) == {"j1", "j2", "j3", "c1", "c2"}
    assert (sheet["c1"]["parent"], sheet["c1"]["children"]) == ("j1", 0)
    assert (sheet["j2"]["state"], sheet["j2"]["verdict"]) == ("scored", None)
    assert (sheet["j2"]["shots"], sheet["j2"]["cost_usd"], sheet["j2"]["late_answers"]) == (2000, 0.25, 0)
    assert (sheet["j3"]["state"], sheet["j3"]["reason"], sheet["j3"]["cost_usd"]) == ("rejected", "no kind", 0.0)
    assert sheet["c2"]["fault_code"] == "device-offline"


async def test_the_view_is_made_anew_at_every_start_as_the_release_has_it(engine):
    async with engine.begin() as connection:
        await connection.execute(text("DROP VIEW sheet"))
        await connection.execute(text("CREATE VIEW sheet AS SELECT job_id FROM jobs"))
    await create(engine)
    await store(engine, LOG)
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT late_answers FROM sheet WHERE job_id = 'j1'"))
    assert found.scalar_one() == 2
