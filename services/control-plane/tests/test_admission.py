"""How submissions become jobs, and how they do not."""

from __future__ import annotations

import json
import math
from datetime import timedelta

import pytest
from control_plane_cases import NOON, TRACEPARENT, admitted, submit
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.intake import DocumentError, job_id_for
from quire_contracts.job import ExpireJob, JobAccepted, JobRejected, SubmissionRefused
from quire_contracts.preparation import PrepareJob
from quire_control_plane.submission.admission import read, reject


def test_a_new_job_is_recorded_accepted_and_sent_to_be_prepared(sample_body: bytes) -> None:
    change = admitted(sample_body)
    assert change.record is not None
    assert (change.record.state, change.record.seed, change.record.seeded) == ("queued", 5, True)
    assert change.record.trace_id == TRACEPARENT.split("-")[1]
    accepted, prepare = (say.message for say in change.says)
    assert isinstance(accepted, JobAccepted)
    assert not accepted.repeated
    assert prepare == PrepareJob(job_id="job-1", tenant="acme", document=change.record.document, seed=5)


def test_a_job_without_a_seed_gets_a_drawn_one_and_is_not_seeded() -> None:
    record = admitted(b'{"kind": "sample", "program": "x"}').record
    assert record is not None
    assert (record.seed, record.seeded) == (7, False)


def test_a_deadline_is_scheduled() -> None:
    change = admitted(b'{"kind": "sample", "program": "x", "deadline_seconds": 30}')
    (expire,) = (say for say in change.says if isinstance(say.message, ExpireJob))
    assert expire.at == NOON + timedelta(seconds=30)


def test_the_same_content_again_changes_nothing_and_is_answered(sample_body: bytes) -> None:
    record = admitted(sample_body).record
    again = admitted(b" " + sample_body, record=record)
    assert again.record is None
    (say,) = again.says
    assert isinstance(say.message, JobAccepted)
    assert say.message.repeated


def test_other_content_under_the_same_id_is_refused(sample_body: bytes) -> None:
    record = admitted(sample_body).record
    change = admitted(sample_body.replace(b"100", b"101"), record=record)
    assert change.record is None
    (say,) = change.says
    assert isinstance(say.message, SubmissionRefused)
    assert say.message.code == "idempotency-conflict"


def test_an_idempotency_key_names_the_job_and_both_keys_are_answered() -> None:
    body = b'{"kind": "sample", "program": "x", "idempotency_key": "order-7"}'
    change = admitted(body, key="first-try")
    assert change.record is not None
    assert change.record.job_id == job_id_for("acme", "order-7")
    accepted = [say for say in change.says if isinstance(say.message, JobAccepted)]
    assert [say.key for say in accepted] == [None, "first-try"]


@pytest.mark.parametrize("tenant", ["globex", "shared"])
def test_a_document_of_another_tenant_is_refused(tenant: str) -> None:
    body = f'{{"kind": "sample", "program": "x", "tenant": "{tenant}"}}'.encode()
    with pytest.raises(DocumentError) as caught:
        read(submit(body), body)
    assert caught.value.problems[0].pointer == "/tenant"


def test_problems_are_answered_by_a_rejection() -> None:
    body = b'{"kind": "sample", "program": "x", "shots": 0}'
    with pytest.raises(DocumentError) as caught:
        read(submit(body), body)
    (say,) = reject(submit(body), caught.value, None).says
    assert isinstance(say.message, JobRejected)
    assert say.message.problems[0].pointer == "/shots"


def test_problems_under_an_existing_jobs_id_leave_the_job_alone(sample_body: bytes) -> None:
    record = admitted(sample_body).record
    with pytest.raises(DocumentError) as caught:
        read(submit(b"{}"), b"{}")
    (say,) = reject(submit(b"{}"), caught.value, record).says
    assert isinstance(say.message, SubmissionRefused)


@pytest.mark.parametrize(
    ("document", "shots"),
    [
        ({"kind": "sample"}, None),
        ({"kind": "sample", "min_shots": 60}, 60),
        ({"kind": "estimate", "observables": [{"Z": 1}], "precision": 0.01}, None),
        ({"kind": "estimate", "observables": [{"Z": 1}], "precision": 0.01, "coarsest_precision": 0.05}, 400),
        ({"kind": "estimate", "observables": [{"Z": 1}], "precision": 0.01, "coarsest_precision": 0.1}, 100),
        ({"kind": "estimate", "observables": [{"Z": 1}], "precision": 0.01, "coarsest_precision": 0.3}, 12),
        ({"kind": "estimate", "observables": [{"Z": 1}], "precision": 0.01, "coarsest_precision": 1}, 1),
    ],
)
def test_how_few_shots_will_do_is_on_the_record(document: dict[str, object], shots: int | None) -> None:
    record = admitted(json.dumps({"program": "x", **document}).encode()).record
    assert record is not None
    assert record.min_shots == shots


@given(precision=st.floats(1e-3, 1))
def test_the_shots_of_the_coarsest_precision_are_those_that_preprocessing_takes(precision: float) -> None:
    document = {"kind": "estimate", "program": "x", "observables": [{"Z": 1}], "coarsest_precision": precision}
    record = admitted(json.dumps(document).encode()).record
    assert record is not None
    assert record.min_shots is not None
    assert 1 / math.sqrt(record.min_shots) <= precision * (1 + 1e-9)
    assert record.min_shots == 1 or 1 / math.sqrt(record.min_shots - 1) > precision * (1 - 1e-9)
