"""The rest of the house, played by a hand: records written and events said as the control plane would."""

from __future__ import annotations

import json
from dataclasses import dataclass

import httpx
import msgspec

from quire_contracts.intake import content_sha256, parse_document
from quire_contracts.job import JobAccepted, JobCompleted
from quire_contracts.record import JobRecord, Step
from quire_contracts.result import SampleResult
from quire_contracts.value import inline_blob
from quire_testing.jobs import NOW, make_record

BELL = {"kind": "sample", "program": "OPENQASM 3.0; qubit[2] q;", "shots": 100, "tenant": "acme"}


@dataclass
class House:
    """The door under test, its client, and a bus of a helper beside it."""

    bus: object
    door: object
    app: object
    client: httpx.AsyncClient

    async def take(self, job_id, document=None, **changes):
        """Accept a job: its record and its first event."""
        body = msgspec.json.encode(document or BELL)
        parsed = parse_document(body)
        values = {
            "job_id": job_id,
            "tenant": parsed.tenant,
            "name": parsed.name,
            "project": parsed.project,
            "priority": parsed.priority,
            "targets": parsed.targets,
            "seed": 7,
            "content_sha256": content_sha256(parsed),
            "document": inline_blob(body, "application/json"),
        }
        record = make_record(**{**values, **changes})
        await self.keep(record)
        accepted = JobAccepted(
            job_id=job_id,
            tenant=record.tenant,
            kind="sample",
            name="",
            project="default",
            priority="research",
            content_sha256=record.content_sha256,
            accepted_at=NOW,
        )
        await self.say(accepted)
        return record

    async def keep(self, record):
        records = self.bus.records("job", JobRecord)
        await records.put(records.write(record.tenant, record.job_id, record, None))

    async def say(self, message, **options):
        return await self.bus.publisher.publish(message, **options)

    async def complete(self, record, *counts):
        """End a job with an answer: its record and its last event."""
        result = SampleResult(counts=counts or ({"00": 60, "11": 40},))
        done = msgspec.structs.replace(
            record,
            state="completed",
            result=result,
            shots=100,
            history=(*record.history, Step(state="completed", at=NOW, cause="test")),
        )
        await self.keep(done)
        said = JobCompleted(job_id=record.job_id, tenant=record.tenant, kind="sample", result=result, shots=100)
        await self.say(said)
        return done


class Events:
    """Server-sent events as they arrive on one connection."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self):
        """The next event as (name, id, data), comments and the greeting left out; None at the end."""
        fields = {}
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if line and not line.startswith(":"):
                fields[name] = value
            elif fields.keys() - {"retry"}:
                return fields["event"], fields.get("id"), json.loads(fields["data"])
        return None

    async def rest(self):
        """All events until the stream ends."""
        found = []
        while (event := await self.next()) is not None:
            found.append(event)
        return found
