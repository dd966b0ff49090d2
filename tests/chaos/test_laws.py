"""The checker can fail: forged logs and ledgers that break each law are told apart from honest ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from job_laws import Lives, judge, stall
from provider_laws import Journal, audit
from rounds import Ended, differences
from storms import Scope, refusing
from upstreams import jobs

from quire_emulator.entries import Applied, Moved, Order

THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LIFE = ("queued", "validated", "submitted", "running", "retrieved", "scored", "completed")


@pytest.fixture
def wanted():
    (one,) = jobs(1, 1, {"simulation": 1.0})
    one.acked_at = 1.0
    return one


def record(job, *states, **fields):
    history = [{"state": state, "at": THEN, "cause": "c"} for state in states]
    body = {"job_id": job, "tenant": "t", "kind": "sample", "seed": 1, "content_sha256": "0", "accepted_at": THEN}
    return msgspec.json.encode({**body, "state": states[-1], "history": history, **fields})


def lived(wanted, *, states=LIFE, counts=None, ends=1):
    lives = Lives()
    for index in range(len(states)):
        lives.take_record(record(wanted.job, *states[: index + 1]))
    end = {"job_id": wanted.job, "result": {"counts": wanted.counts if counts is None else counts}}
    for _ in range(ends):
        lives.take_end("completed", 2.0, msgspec.json.encode(end))
    return lives


def test_an_honest_life_breaks_no_law(wanted):
    verdict = judge(lived(wanted), [wanted])
    assert (verdict.lost, verdict.unfinished, verdict.twice, verdict.wrong, verdict.illegal) == ([], [], [], [], {})


def test_a_job_of_which_the_log_knows_nothing_is_lost(wanted):
    assert judge(Lives(), [wanted]).lost == [wanted.job]
    wanted.acked_at = 0.0
    assert judge(Lives(), [wanted]).lost == [], "nobody promised anything"


def test_an_end_that_is_missing_or_said_twice_is_seen(wanted):
    assert judge(lived(wanted, ends=0), [wanted]).unfinished == [wanted.job]
    assert judge(lived(wanted, ends=2), [wanted]).twice == [wanted.job]


def test_another_answer_is_wrong(wanted):
    counts = [{key[::-1] + "0": value for key, value in row.items()} for row in wanted.counts]
    assert judge(lived(wanted, counts=counts), [wanted]).wrong == [wanted.job]


@pytest.mark.parametrize(
    "states", [("queued", "running"), ("queued", "validated", "queued"), (*LIFE, "running"), ("submitted",)]
)
def test_a_step_that_no_life_has_is_illegal(wanted, states):
    assert list(judge(lived(wanted, states=states, ends=0), [wanted]).illegal) == [wanted.job]


def test_a_history_that_is_rewritten_is_illegal(wanted):
    lives = Lives()
    lives.take_record(record(wanted.job, "queued", "validated"))
    lives.take_record(record(wanted.job, "validated"))
    lives.take_record(record(wanted.job, "queued", "validated", seed=2))
    rewritten = "its history was rewritten"
    assert lives.of[wanted.job].illegal == [rewritten, "seed changed", rewritten]


def submission(batch, state, **fields):
    body = {"batch_id": batch, "target": "aws:x", "token": f"{batch}-t", "epoch": 1, "state": state}
    return msgspec.json.encode({**body, "request_sha256": "0", **fields})


def journal_of(*batches, task="t"):
    journal = Journal()
    for batch in batches:
        for state in ("intent", "calling", "submitted", "retrieved"):
            journal.take(submission(batch, state))
        members = [{"task_id": task, "first": 0, "attempt": 1}]
        body = {"batch_id": batch, "target": "aws:x", "members": members}
        journal.work[batch] = msgspec.convert(body, type=type_of_batch())
    return journal


def type_of_batch():
    import provider_laws

    return provider_laws._Batch


def applied(job, token):
    order = Order(api="braket", device="d", shots=1, body=job, request="r", token=token)
    return Applied(at=1.0, call=1, job=job, order=order, ready=1.0)


def test_an_honest_ledger_breaks_no_law():
    bill = audit([applied("j", "b-t")], journal_of("b"))
    assert (bill.applied, bill.faults) == (1, 0)


def test_two_jobs_of_one_token_are_doubled():
    assert audit([applied("j", "b-t"), applied("k", "b-t")], journal_of("b")).doubled == ["b-t"]


def test_a_job_of_no_submission_is_a_stranger_and_an_answer_without_a_job_is_unpaid():
    bill = audit([applied("j", "nobody")], journal_of("b"))
    assert (bill.strangers, bill.unpaid) == (["j"], ["b"])


def test_work_that_runs_in_two_batches_is_paid_twice_unless_the_first_failed():
    both = [applied("j", "a-t"), applied("k", "b-t")]
    assert audit(both, journal_of("a", "b")).paid_twice == ["t from 0"]
    failed = [*both, Moved(at=2.0, job="j", status="FAILED")]
    assert audit(failed, journal_of("a", "b")).paid_twice == []


def test_steps_that_the_protocol_forbids_are_seen():
    journal = Journal()
    for state, fields in (
        ("intent", {}),
        ("calling", {"calls": 1}),
        ("unknown", {"calls": 1}),
        ("intent", {"epoch": 0}),
    ):
        journal.take(submission("b", state, **fields))
    assert journal.wrong == {"b": ["an older gateway wrote", "what may be at the provider began again"]}


def test_the_longest_stall_is_that_between_neighbours():
    assert stall([5.0, 1.0, 2.5]) == 2.5
    assert stall([]) == 0.0


def test_calls_are_refused_until_the_last_breaker_is_closed():
    create, device = Scope("aws", "forte", "create"), Scope("aws", "forte")
    told = [
        (1.0, "opened", create),
        (2.0, "opened", device),
        (3.0, "half-opened", create),
        (4.0, "closed", create),
        (5.0, "closed", device),
        (6.0, "closed", device),
        (7.0, "opened", device),
    ]
    assert refusing(told) == [(1.0, 5.0), (7.0, float("inf"))]
    assert refusing([]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "failed"}, "state"),
        ({"parameters": (0.1, 0.30000000000000004)}, "parameters"),
        ({"history": [{"round": 1, "objective": 2.0}]}, "history"),
        ({"optimizer": {"calls": [1]}}, "optimizer"),
        ({"asked": ["a", "b", "b"]}, "evaluations: 2 in peace, 3 with kills"),
        ({"asked": ["b", "a"]}, "evaluations: 2 in peace, 2 with kills"),
    ],
)
def test_a_loop_that_kills_have_changed_is_seen(change, said):
    calm = Ended("completed", (0.1, 0.3), [{"round": 1, "objective": 2.5}], {"calls": []}, ["a", "b"])
    assert differences(calm, replace(calm)) == []
    assert differences(calm, replace(calm, **change)) == [said]
