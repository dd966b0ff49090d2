"""Preprocessing on a real broker: the service hosted in the test's loop, and a plain client that speaks to it."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import msgspec
import nats
import pytest_asyncio

from quire_contracts.preparation import JobPrepared, PreparationFailed
from quire_preprocessing.__main__ import SERVICE
from quire_preprocessing.settings import Settings
from quire_service import hosted

TYPE = "io.quire.job.prepare.v1"


@dataclass
class Client:
    """Publishes `PrepareJob` with nothing but nats-py, so that a message id can be used twice."""

    js: Any
    blobs: Any
    probe: Any
    ids: list[str] = field(default_factory=list)

    async def send(self, document, *, id_=None, job_id=None, seed=5):
        """Publish; `document` is bytes, JSON values, or a BlobRef. Gives the job's id."""
        job_id = job_id or f"job-{len(self.ids)}"
        if not hasattr(document, "sha256"):
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            document = await self.blobs.put(body, "application/json")
        message = {"job_id": job_id, "tenant": "acme", "document": document, "seed": seed}
        headers = {
            "ce-specversion": "1.0",
            "ce-id": id_ or str(uuid.uuid4()),
            "ce-source": "/test",
            "ce-type": TYPE,
            "content-type": "application/json",
        }
        await self.js.publish(f"quire.cmd.acme.job.prepare.v1.{job_id}", msgspec.json.encode(message), headers=headers)
        self.ids.append(job_id)
        return job_id

    def answers(self, job_id):
        """Every answer to a job so far."""
        answers = (*self.probe.of(JobPrepared), *self.probe.of(PreparationFailed))
        return [answer for answer in answers if answer.job_id == job_id]


@pytest_asyncio.fixture
async def client(provisioned, bus, probe):
    """A client whose probe sees every event."""
    connection = await nats.connect(provisioned.url)
    yield Client(connection.jetstream(), bus.blobs, await probe("quire.evt.>"))
    await connection.close()


@pytest_asyncio.fixture
async def service(provisioned):
    """The service, consuming."""
    async with hosted(SERVICE, Settings(nats_url=provisioned.url, log_level="error")) as running:
        yield running
