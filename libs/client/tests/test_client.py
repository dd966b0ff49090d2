"""The client against a Quire that answers late, twice, not at all, or with bad news."""

import itertools

import pytest
from fake_quire import Answer, stored, view

import quire
from quire import Client

BELL = {"kind": "sample", "program": "OPENQASM 3.0; qubit q;"}
ACCEPTED = Answer(202, {"job_id": "j1", "tenant": "default", "state": "queued", "links": {}})
BUSY = Answer(503, {"title": "This cannot be done now"})


@pytest.fixture
def client(fake):
    with Client(fake.url, patience=5) as made:
        yield made


def test_a_job_is_submitted_awaited_and_read(fake, client):
    fake.say("POST", "/v1/jobs", ACCEPTED)
    running, done = (
        view("running"),
        view(result={"kind": "sample", "counts": [{"00": 6, "11": 4}]}, shots=10, cost_usd=0.5),
    )
    fake.say("GET", "/v1/jobs/j1", Answer(body=running), Answer(body=done))
    answer = client.submit(BELL).result(timeout=10)
    assert answer.counts == ({"00": 6, "11": 4},)
    assert (answer.cost.shots, answer.cost.usd) == (10, 0.5)
    with pytest.raises(quire.ServerError, match="has no best assignment"):
        _ = answer.best


def test_a_lost_answer_is_asked_for_again_under_the_same_key(fake, client):
    fake.say("POST", "/v1/jobs", Answer(hang_up=True), BUSY, ACCEPTED)
    assert client.submit(BELL).id == "j1"
    keys = [asked.headers["idempotency-key"] for asked in fake.of("POST", "/v1/jobs")]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_two_submissions_are_two_jobs_unless_the_document_or_the_caller_says_otherwise(fake, client):
    fake.say("POST", "/v1/jobs", ACCEPTED)
    client.submit(BELL)
    client.submit(BELL)
    client.submit(BELL, idempotency_key="mine")
    client.submit({**BELL, "idempotency_key": "its own"})
    keys = [asked.headers.get("idempotency-key") for asked in fake.of("POST", "/v1/jobs")]
    assert keys[0] != keys[1]
    assert keys[2:] == ["mine", None]


def test_a_client_of_a_tenant_submits_for_it(fake):
    fake.say("POST", "/v1/jobs", ACCEPTED)
    with Client(fake.url, tenant="acme") as client:
        client.submit(BELL)
        client.submit({**BELL, "tenant": "other"})
    bodies = [asked.body for asked in fake.of("POST", "/v1/jobs")]
    assert b'"tenant":"acme"' in bodies[0]
    assert b'"tenant":"other"' in bodies[1]


def test_nobody_there_is_told_at_once():
    with Client("http://127.0.0.1:9", patience=60) as client:
        with pytest.raises(quire.CannotConnectError, match="nothing answers"):
            client.submit(BELL)
        with pytest.raises(quire.CannotConnectError):
            client.job("j1").wait(60)


def test_a_wait_outlives_a_broken_connection(fake, client):
    fake.say("POST", "/v1/jobs", ACCEPTED)
    fake.say("GET", "/v1/jobs/j1", Answer(hang_up=True), BUSY, Answer(404, {}), Answer(body=view("failed")))
    assert client.submit(BELL).wait(20).state == "failed"


def test_a_wait_ends_when_its_time_is_over_and_the_job_does_not(fake, client):
    fake.say("GET", "/v1/jobs/j1", Answer(body=view("running")))
    with pytest.raises(quire.StillRunningError, match=r"still running after 0\.1 s"):
        client.job("j1").result(timeout=0.1)
    assert fake.of("DELETE", "/v1/jobs/j1") == []


FAULT = {
    "kind": "offline",
    "code": "gone",
    "reason": "the device is away",
    "next_step": "try another",
    "retryable": True,
}
PROBLEM = {"pointer": "/program", "reason": "no such gate", "limit": None, "hint": "see the list"}


@pytest.mark.parametrize(
    ("end", "kind", "words"),
    [
        (view("failed", fault=FAULT), quire.JobFailedError, "the device is away"),
        (view("cancelled", reason="on request"), quire.JobCancelledError, "on request"),
        (view("rejected", reason="bad program", problems=[PROBLEM]), quire.JobRejectedError, "bad program"),
    ],
)
def test_bad_news_is_an_exception_with_everything_in_it(fake, client, end, kind, words):
    fake.say("GET", "/v1/jobs/j1", Answer(body=end))
    with pytest.raises(kind, match=words) as caught:
        client.job("j1").result()
    assert caught.value.job_id == "j1"
    if end["state"] == "failed":
        assert (caught.value.fault.code, caught.value.next_step) == ("gone", "try another")
    if end["state"] == "rejected":
        assert caught.value.problems[0].pointer == "/program"


def test_an_answer_too_large_for_the_view_is_fetched_apart(fake, client):
    fake.say(
        "GET", "/v1/jobs/j1", Answer(body=view(kind="estimate", links={"result": "/v1/jobs/j1/result?tenant=default"}))
    )
    fake.say("GET", "/v1/jobs/j1/result", Answer(body={"kind": "estimate", "values": [[1.5]], "std_errors": [[0.0]]}))
    assert client.job("j1").result().values == ((1.5,),)


def test_an_answer_outside_of_the_contract_is_named(fake, client):
    fake.say("GET", "/v1/jobs/j1", Answer(body={"job_id": "j1"}))
    with pytest.raises(quire.ServerError, match="outside of the contract"):
        client.job("j1").status()


def test_events_are_taken_up_after_the_last_one_seen(fake, client):
    life = [stored(3, "job.accepted", name="x"), b"event: progress\ndata: {}\n\n", stored(5, "loop.advanced", rounds=2)]
    end = stored(9, "job.completed")
    sse = "text/event-stream"
    fake.say("POST", "/v1/jobs", ACCEPTED)
    path = "/v1/jobs/j1/events"
    fake.say(
        "GET", path, Answer(404, {}), Answer(body=b"".join(life) + end[:9], type=sse), BUSY, Answer(body=end, type=sse)
    )
    events = list(client.submit(BELL).events())
    assert [event.name for event in events] == ["job.accepted", "progress", "loop.advanced", "job.completed"]
    assert [asked.headers.get("last-event-id") for asked in fake.of("GET", path)] == [None, None, "5", "5"]


def test_events_behind_the_end_are_none(fake, client):
    fake.say("GET", "/v1/jobs/j1/events", Answer(204))
    assert list(client.job("j1").events(after="9")) == []


def test_events_can_be_left_at_any_time(fake, client):
    life = b"".join(stored(n, "loop.advanced") for n in range(1, 50))
    fake.say("GET", "/v1/jobs/j1/events", Answer(body=life, type="text/event-stream"))
    assert len(list(itertools.islice(client.job("j1").events(), 3))) == 3


def test_cancelling_says_whose_and_why(fake, client):
    fake.say("DELETE", "/v1/jobs/j1", Answer(202, {}), Answer(409, {"title": "The job has ended already"}))
    client.job("j1", tenant="acme").cancel("too dear")
    (asked,) = fake.of("DELETE", "/v1/jobs/j1")
    assert asked.query == "tenant=acme&reason=too+dear"
    with pytest.raises(quire.ConflictError, match="ended already"):
        client.job("j1").cancel()
