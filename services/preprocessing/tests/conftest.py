"""Preprocessing by itself, and on a real broker with a plain client that speaks to it."""

import asyncio
import hashlib
import json
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import nats
import pytest
import pytest_asyncio

from quire_contracts.preparation import JobPrepared, PreparationFailed, PrepareJob
from quire_contracts.value import BlobRef, inline_blob
from quire_preprocessing.__main__ import SERVICE
from quire_preprocessing.cache.frames import Frames
from quire_preprocessing.cache.programs import Programs
from quire_preprocessing.classical.baseline import Budget
from quire_preprocessing.classical.baselines import Baselines
from quire_preprocessing.draft import Bounds
from quire_preprocessing.families.planner import Planner
from quire_preprocessing.finding import Finder, sought
from quire_preprocessing.preparing import Preparer
from quire_preprocessing.settings import Settings
from quire_quantum.parse import parse
from quire_quantum.stored_program import decode_program, encode_program
from quire_service import hosted
from quire_service.metrics import no_meter

sys.path.append(str(Path(__file__).parent))  # --import-mode=importlib finds no neighbours: `classical_cases` is one

TYPE = "io.quire.job.prepare.v1"


class MemoryStore:
    """Keeps content by its digest, as the bus's store does, and says what was put."""

    def __init__(self):
        self.content = {}
        self.puts = []

    async def put(self, data, media_type, inline_limit=16 * 1024):
        self.puts.append(media_type)
        if len(data) <= inline_limit:
            return inline_blob(data, media_type)
        digest = hashlib.sha256(data).hexdigest()
        self.content[digest] = data
        return BlobRef(sha256=digest, size=len(data), media_type=media_type)

    async def get(self, ref):
        return ref.inline if ref.inline is not None else self.content[ref.sha256]


class MemoryFleet:
    """What the broker would know, as bytes."""

    def __init__(self):
        self.known = {}

    async def get(self, sha256):
        await asyncio.sleep(0)
        return decode_program(self.known[sha256]) if sha256 in self.known else None

    async def put(self, sha256, program):
        await asyncio.sleep(0)
        self.known[sha256] = encode_program(program)


class MemoryBaselines:
    """What the broker would know of baselines."""

    def __init__(self):
        self.known = {}

    async def get(self, key):
        await asyncio.sleep(0)
        return self.known.get(key)

    async def put(self, key, solved):
        await asyncio.sleep(0)
        self.known[key] = solved


@pytest.fixture
def fleet():
    return MemoryFleet()


@pytest.fixture
def parsed():
    """The texts that were parsed."""
    return []


@pytest.fixture
def make_preparer(spans, clock, fleet, parsed):
    """Makes one process's preparer; all of them share one fleet."""
    with ThreadPoolExecutor(2) as threads:

        def run(work):
            return asyncio.get_running_loop().run_in_executor(threads, work)

        def parse_here(source):
            parsed.append(source)
            return parse(source)

        def make(run=run, meter=None, fleet=fleet):
            meter = meter or no_meter()
            store, bounds, tracer = MemoryStore(), Bounds(max_variables=30), spans.tracer("preprocessing")
            return Preparer(
                programs=Programs(parse_here, fleet, run, most_bytes=2**24, meter=meter),
                frames=Frames(clock, most_bytes=2**22, meter=meter),
                store=store,
                run=run,
                at_once=asyncio.Semaphore(2),
                bounds=bounds,
                planner=Planner(store=store, run=run, bounds=bounds, tracer=tracer, clock=clock),
                tracer=tracer,
                clock=clock,
            )

        yield make


@pytest.fixture
def found(make_preparer, spans, clock):
    """Finds what a preparer says is to come: the event that answers."""
    with ThreadPoolExecutor(2) as threads:

        def run(work):
            return asyncio.get_running_loop().run_in_executor(threads, work)

        budget = Budget(seconds=0.1)
        kept = {"exact_qubits": 16, "most_bytes": 2**20, "meter": no_meter()}
        baselines = Baselines(clock, run, MemoryBaselines(), budget, **kept)
        finder = Finder(baselines=baselines, tracer=spans.tracer("preprocessing"), clock=clock)

        async def find(command, body):
            (asked,) = sought(command, await make_preparer().prepare(command, body))
            return await finder.find(asked, body)

        yield find


@pytest.fixture
def command_for():
    """A command for a document of JSON values, and the document's bytes."""

    def command(document, seed=5):
        body = json.dumps(document).encode()
        return PrepareJob(job_id="j1", tenant="acme", document=inline_blob(body, "application/json"), seed=seed), body

    return command


@dataclass
class Client:
    """Publishes `PrepareJob` with nothing but nats-py, so that a message id can be used twice."""

    js: Any
    blobs: Any
    probe: Any
    ids: list[str] = field(default_factory=list)

    async def send(self, document, *, id_=None, job_id=None, seed=5, tenant="acme"):
        """Publish; `document` is bytes, JSON values, or a BlobRef. Gives the job's id."""
        job_id = job_id or f"job-{len(self.ids)}"
        if not hasattr(document, "sha256"):
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            document = await self.blobs.put(body, "application/json")
        message = {"job_id": job_id, "tenant": tenant, "document": document, "seed": seed}
        headers = {
            "ce-specversion": "1.0",
            "ce-id": id_ or str(uuid.uuid4()),
            "ce-source": "/test",
            "ce-type": TYPE,
            "content-type": "application/json",
        }
        subject = f"quire.cmd.{tenant}.job.prepare.v1.{job_id}"
        await self.js.publish(subject, msgspec.json.encode(message), headers=headers)
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
