"""What nobody can read ends the jobs that waited for it, each once, with a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from quire_bus.read import Kept
from quire_bus.router import Router
from quire_bus.unreadable import FAULT, abandoned
from quire_contracts.batch import BatchExecuted, BatchStarted, ExecuteBatch
from quire_contracts.job import AbandonJob, JobRejected
from quire_contracts.preparation import JobPrepared
from quire_contracts.registry import entry_of
from quire_contracts.task import TaskFailed
from quire_testing import eventually

MEMBERS = [
    {"tenant": "acme", "job_id": "j1", "more": 1},
    {"tenant": "beta", "job_id": "j1"},
    {"tenant": "acme", "job_id": "j1"},
]


def kept(subject, body):
    return Kept(1, subject, {}, body, datetime(2026, 1, 1, tzinfo=UTC))


async def ended(message, body, *, known=None):
    """The jobs that are ended by a body in the place of a message about j7, or of a batch b7."""
    asked = []

    async def last(subject):
        asked.append(subject)
        return kept(subject, known) if known is not None and ".execute." in subject else None

    entry = entry_of(message)
    tenant, key = ("shared", "b7") if entry.tenant is None else ("acme", "j7")
    found = await abandoned(entry, tenant, key, body, last)
    assert all(each.fault == FAULT for each in found)
    return [(each.tenant, each.job_id) for each in found]


async def test_a_message_about_a_job_ends_that_job_whatever_is_in_it():
    assert await ended(TaskFailed, b"\xff") == [("acme", "j7")]


@pytest.mark.parametrize(
    "body",
    [
        {"batch": {"members": MEMBERS, "formed_at": "yesterday"}},
        {"members": MEMBERS, "fault": 7},
        {"results": [{"member": member, "counts": "many"} for member in MEMBERS]},
    ],
)
async def test_a_message_about_a_batch_ends_the_jobs_that_it_still_names(body):
    assert await ended(BatchExecuted, json.dumps(body).encode()) == [("acme", "j1"), ("beta", "j1")]


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"{", b"[" * 50_000, b'{"results": 7}', b'{"members": [{"job_id": "a.b"}]}']
)
async def test_what_names_nobody_is_looked_up_at_the_command_that_began_it(body):
    known = json.dumps({"batch": {"members": MEMBERS[:1]}}).encode()
    assert await ended(BatchExecuted, body, known=known) == [("acme", "j1")]
    assert await ended(BatchExecuted, body) == []


async def test_on_a_broker_a_job_is_ended_once_and_its_message_is_a_dead_letter(make_bus, js, bus, probe):
    log, control, router = await probe("quire.cmd.>"), await make_bus("control-plane"), Router("control-plane")

    @router.consume(JobPrepared, inbox="none", failed=lambda *_: [])
    async def on_prepared(message, delivery):
        raise AssertionError

    control.include(router)
    await control.start()
    subject = entry_of(JobPrepared).subject_for("acme", "j1")
    await js.publish(subject, b'{"job_id": 7}', headers={"ce-id": "m1"})
    (said,) = await log.wait(AbandonJob)
    assert (said.job_id, said.tenant, said.fault.code) == ("j1", "acme", "unreadable-message")
    (letter,) = await bus.dead_letters.list()
    assert (letter.kind, letter.tenant, letter.key) == ("undecodable", "acme", "j1")


async def test_on_a_broker_the_jobs_of_a_batch_are_ended_and_who_only_listens_ends_nothing(make_bus, js, bus, probe):
    log = await probe("quire.cmd.>")
    for service, message, failed in (
        ("quantum-gateway", ExecuteBatch, lambda *_: []),
        ("control-plane", BatchStarted, None),
    ):
        router, here = Router(service), await make_bus(service)
        router.consume(message, failed=failed)(never)
        here.include(router)
        await here.start()
    for message in (BatchStarted, ExecuteBatch):
        body = json.dumps({"batch": {"members": MEMBERS}, "members": MEMBERS}).encode()
        await js.publish(entry_of(message).subject_for("shared", "b1"), body, headers={"ce-id": "m1"})
    said = await log.wait(AbandonJob, 2)
    assert sorted((each.tenant, each.job_id) for each in said) == [("acme", "j1"), ("beta", "j1")]

    async def both():
        return len(await bus.dead_letters.list()) == 2

    await eventually(both)
    assert len(log.of(AbandonJob)) == 2
    assert log.of(JobRejected) == []


async def never(message, delivery):
    raise AssertionError
