"""A remote provider that a test can be cruel with, and a house around the gateway without a broker or threads."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec
from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import NoOpTracer

from quire_bus.errors import Conflict
from quire_bus.records import RecordWrite, Stored
from quire_contracts.value import inline_blob
from quire_plane import Plane
from quire_quantum.executor import Capabilities
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum_gateway.alarms import Alarms
from quire_quantum_gateway.breakers import Breakers
from quire_quantum_gateway.calls import CallCounts, Calls
from quire_quantum_gateway.desk import Desk, Pace
from quire_quantum_gateway.failpoints import NoFailpoints
from quire_quantum_gateway.findings import Findings
from quire_quantum_gateway.gateway import Gateway
from quire_quantum_gateway.journal import Submission
from quire_quantum_gateway.limits import Limits
from quire_quantum_gateway.providers.port import Availability, Found, Quote
from quire_quantum_gateway.recovery import Rules
from quire_quantum_gateway.sites import Site
from quire_quantum_gateway.submissions import Submissions
from quire_resilience.breaker import BreakerPolicy
from quire_resilience.errors import Permanent
from quire_testing import ManualClock
from quire_testing.batches import make_batch, make_slice
from quire_testing.switches import ManualSwitches


@dataclass
class Job:
    """One line of a provider's ledger: a job that was paid for."""

    job_id: str
    token: str
    work: object
    created_at: datetime
    visible_at: datetime
    polls: int = 0
    status: str = "queued"


class FakeRemote:
    """A cloud in this process: a ledger that counts what was paid, and calls that end as `fates` say, in turn.

    fates: `ok`; `refuse:<code>` (an error, nothing applied); `cut` (applied, no answer); `lose` (no answer, nothing
    applied); `late:<seconds>` (no answer, applied that much later). After them all is well.
    """

    name = "cloud"
    compiles = True

    def __init__(self, mode, clock, *, fates=(), search_lag=0.0, polls=2):
        self.mode, self.clock, self.fates = mode, clock, list(fates)
        self.search_lag, self.polls = search_lag, polls
        self.ledger, self.coming, self.calls = [], [], Counter()
        self.down = None
        self._executor = FakeExecutor("cloud:x")

    def discover(self):
        return [self.capabilities("x")]

    def capabilities(self, backend):
        return Capabilities(target=f"cloud:{backend}", max_qubits=12, exact=False)

    def site(self, backend):
        return Site(self.name, "account", "region", backend)

    def identity_mode(self, backend):
        return self.mode

    def identity(self, backend):
        return None

    def refresh(self):
        return ()

    def snapshots(self):
        return {}

    def window(self, backend):
        return Availability()

    def cost(self, backend, work):
        return Quote(1.25)

    def submit(self, backend, work, token, *, deadline=math.inf):
        self.calls["submit"] += 1
        fate, _, detail = (self.fates.pop(0) if self.fates else "ok").partition(":")
        if fate == "refuse":
            raise Permanent(detail, "not now", kind="offline", retryable=True)
        if fate == "lose":
            raise ConnectionResetError
        if fate == "late":
            self.coming.append((self.clock.now() + timedelta(seconds=float(detail)), work, token))
            raise ConnectionResetError
        job = self._apply(work, token)
        if fate == "cut":
            raise ConnectionResetError
        return job.job_id

    def find(self, backend, token, since):
        self.calls["find"] += 1
        return [each for each in self.listed(since) if each.token == token]

    def listed(self, since):
        self._catch_up()
        if self.mode == "none":
            return []
        now, since = self.clock.now(), since - timedelta(minutes=5)
        return [
            Found(job.job_id, job.token, "x", job.created_at, job.status)
            for job in self.ledger
            if job.visible_at <= now and job.created_at >= since
        ]

    def status(self, job_id):
        self.calls["status"] += 1
        self._catch_up()
        if self.down is not None:
            raise self.down
        job = self.job(job_id)
        if job is None:
            return "unknown"
        job.polls += 1
        if job.status == "queued" and job.polls > self.polls:
            job.status = "done"
        return job.status

    def cancel(self, job_id):
        self.calls["cancel"] += 1
        job = self.job(job_id)
        if job is not None and job.status == "queued":
            job.status = "cancelled"

    def retrieve(self, backend, work, job_id):
        self.calls["retrieve"] += 1
        job = self.job(job_id)
        if job is None or job.status == "queued":
            raise LookupError(job_id)
        if job.status != "done":
            raise Permanent("execution-failed", "the job did not run", kind="unknown")
        return self._executor.execute(work)

    def job(self, job_id):
        return next((job for job in self.ledger if job.job_id == job_id), None)

    @property
    def paid(self):
        return [job for job in self.ledger if job.status != "cancelled"]

    def _apply(self, work, token):
        known = next((job for job in self.ledger if job.token == token), None)
        if self.mode == "token" and known is not None:
            return known
        now = self.clock.now()
        job = Job(f"job-{len(self.ledger)}", token, work, now, now + timedelta(seconds=self.search_lag))
        self.ledger.append(job)
        return job

    def _catch_up(self):
        due = [each for each in self.coming if each[0] <= self.clock.now()]
        self.coming = [each for each in self.coming if each not in due]
        for _, work, token in due:
            self._apply(work, token)


class MemoryRecords:
    """Records with compare-and-swap in a dictionary; each access takes a random, seeded number of turns of the loop."""

    def __init__(self, seed=0):
        self.kept, self._revisions, self._random = {}, itertools.count(1), random.Random(seed)
        self.writes = 0
        self.trouble = []

    async def get(self, tenant, id_):
        await self._turns()
        return self.kept.get((tenant, id_))

    def write(self, tenant, id_, value, expected_revision, ttl_seconds=None):
        return RecordWrite("submission", tenant, id_, value, expected_revision, ttl_seconds)

    async def put(self, write):
        await self._turns()
        if self.trouble:
            raise self.trouble.pop(0)
        found = self.kept.get((write.tenant, write.id))
        if (found.revision if found else 0) != write.expected_revision:
            raise Conflict("changed meanwhile")
        self.writes += 1
        revision = next(self._revisions)
        value = msgspec.json.decode(msgspec.json.encode(write.value), type=Submission)
        self.kept[write.tenant, write.id] = Stored(value, revision)
        await self._turns()
        return revision

    def of(self, batch_id="b1"):
        return self.kept["shared", batch_id].value

    async def _turns(self):
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)


class MemoryBlobs:
    def __init__(self):
        self.kept = {}

    async def get(self, ref):
        return ref.inline if ref.inline is not None else self.kept[ref.sha256]

    async def put(self, data, media_type, *, inline_limit=16 * 1024):
        ref = inline_blob(data, media_type)
        self.kept[ref.sha256] = data
        return ref if len(data) <= inline_limit else msgspec.structs.replace(ref, inline=None)


class Said:
    """A publisher that remembers."""

    def __init__(self):
        self.messages = []

    async def publish(self, message, *, cause=None):
        self.messages.append(message)

    async def progress(self, remark):
        pass

    def of(self, type_):
        return [message for message in self.messages if isinstance(message, type_)]


class MemoryShelf:
    """Parked submissions, by batch."""

    def __init__(self):
        self.parked = {}

    async def has(self, batch_id):
        return batch_id in self.parked

    async def put(self, submission):
        self.parked[submission.batch_id] = submission


class InlineLanes:
    """Threads that take no time: what is called, is done; `hang` seconds of the next ones' answers are held back."""

    def __init__(self, clock):
        self.clock, self.hang = clock, {}

    async def run(self, target, call):
        try:
            result = call()
        finally:
            if target in self.hang:
                await self.clock.sleep(self.hang.pop(target))
        return result, 0.0


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@dataclass
class Bomb:
    """Ends its gateway where it is told to, once."""

    point: str
    reached: list = field(default_factory=list)

    def reach(self, point):
        self.reached.append(point)
        if point == self.point:
            self.point = ""
            raise Killed


RULES = Rules(quarantine_seconds=300.0, searches=3, search_seconds=10.0)


class House:
    """One journal, one provider and as many gateways as a test makes, on a clock that runs when nothing else does."""

    def __init__(self, mode, *, seed=0, rules=RULES, **provider):
        self.clock = ManualClock(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        self.records, self.blobs, self.said = MemoryRecords(seed), MemoryBlobs(), Said()
        self.provider = FakeRemote(mode, self.clock, **provider)
        self.shelf, self.again, self.switches = MemoryShelf(), [], ManualSwitches()
        self.lanes, self.rules = InlineLanes(self.clock), rules

    def gateway(self, points=None, **pace):
        journal = Submissions(self.records, self.blobs, self.clock, self.rules)
        calls = Calls(
            sites=lambda target: self.provider.site(target.partition(":")[2]),
            switches=self.switches,
            breakers=Breakers(policy=BreakerPolicy(least_calls=1000), clock=self.clock, uniform=lambda: 0.5),
            limits=Limits(clock=self.clock),
            lanes=self.lanes,
            clock=self.clock,
            uniform=lambda: 0.5,
            counts=CallCounts(NoOpMeter("test")),
        )
        alarms = Alarms(self.said, self.shelf, self.clock, NoOpMeter("test"))
        desk = Desk(
            journal=journal,
            calls=calls,
            clock=self.clock,
            alarms=alarms,
            findings=Findings(journal=journal, calls=calls, alarms=alarms, again=self.deliver_again),
            pace=replace(Pace(), **pace),
            failpoints=points or NoFailpoints(),
        )
        plane = Plane(blobs=self.blobs, publisher=self.said, clock=self.clock, tracer=NoOpTracer())
        return Gateway(catalog={"cloud": self.provider}, plane=plane, desk=desk)

    async def deliver_again(self, batch_id):
        self.again.append(batch_id)

    def batch(self, structure, batch_id="b1", **options):
        members = [make_slice("a", [[0.1] * structure.num_parameters])]
        return make_batch(structure, members, target="cloud:x", batch_id=batch_id, **options)

    async def until(self, *tasks, most=100_000):
        """Let tasks run to their ends; the clock moves on by a second whenever all of them wait for it."""
        for _ in range(most):
            for _ in range(60):
                await asyncio.sleep(0)
                if all(task.done() for task in tasks):
                    return
            self.clock.advance(1.0)
        raise AssertionError("they do not end")
