"""Where decisions are written down: the record, what it says, and who waits, in one commit."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from quire_bus.envelope import Outgoing
from quire_bus.errors import Conflict
from quire_bus.tracing import headers_of
from quire_contracts.evidence import EVIDENCE, EvidenceKept, evidence_id
from quire_contracts.record import Decision, JobRecord
from quire_contracts.result import encode_result
from quire_control_plane.budget.appraisers import Appraisers
from quire_control_plane.change import Change, Moment, Say
from quire_control_plane.dispatch.unwanted import answered_by, stopping
from quire_control_plane.dispatch.waiting import KEPT_SECONDS, KIND, Waiting, Waking, entry
from quire_control_plane.families.children import born, child_id, left_behind, submission_of, told
from quire_control_plane.patience.prospects import Prospects
from quire_control_plane.patience.remembering import Remembering
from quire_control_plane.recall import Recall
from quire_control_plane.routing import Routes, load_routes
from quire_service.loads import loads_of
from quire_service.targets import Targets, targets_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from opentelemetry.metrics import Counter

    from quire_bus.blobs import Blobs
    from quire_bus.delivery import Delivery
    from quire_bus.envelope import Meta
    from quire_bus.records import Records, Stored
    from quire_contracts.family import Child, Parent
    from quire_control_plane.settings import Settings
    from quire_resilience.clock import Clock
    from quire_service import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every handler decides by, and how it commits what it decided."""

    jobs: Records[JobRecord]
    held: Records[Waiting]
    routes: Routes
    targets: Targets
    waking: Waking
    blobs: Blobs
    recall: Recall
    clock: Clock
    steps: Counter
    prospects: Prospects
    evidence: Records[EvidenceKept]
    appraisers: Appraisers
    remembering: Remembering

    def down(self, target: str, tenant: str) -> str | None:
        """Why a target takes no work of a tenant now; None if it does."""
        state = self.targets.down(target, tenant)
        return None if state is None else state.reason or state.reason_code or state.state

    def moment(self, meta: Meta) -> Moment:
        """The present, for a decision on a message."""
        routes = self.routes
        return Moment(
            self.clock.now(),
            meta.id,
            routes.routing,
            routes.chain,
            self.down,
            acceptance=routes.acceptance,
            patience=routes.patience,
            seconds=self.prospects.seconds,
            gain=self.prospects.gain,
            plain=self.appraisers.plain,
        )

    async def commit(self, change: Change, delivery: Delivery[Any], stored: Stored[JobRecord] | None) -> None:
        """Write the record and send what it says, all or nothing; a change that is none writes nothing.

        Raises:
            Conflict: the record was written by somebody else since it was read.
        """
        before = stored.value if stored else None
        if before is not None:
            change = stopping(before, change, answered_by(delivery.message))
        change = left_behind(change)
        record = change.record
        if change.evidence is not None and before is not None:
            await self._keep(change, change.evidence, before, delivery)
            return
        if record is None:
            if change.says:
                await delivery.commit(*outgoing_of(change))
            return
        words = outgoing_of(change)
        if record.parent is not None:
            words += outgoing_of(Change(record, await self._told(before, record, record.parent)))
        births = [await self._born(record, child, delivery.meta) for child in change.births]
        made = [each.record for each in births if each.record is not None]
        records = [self.jobs.write(record.tenant, record.job_id, record, stored.revision if stored else 0)]
        records += [self.jobs.write(each.tenant, each.job_id, each, 0) for each in made]
        waits = entry(before, record)
        if waits is not None:
            records.append(self.held.write(waits.tenant, waits.job_id, waits, None, KEPT_SECONDS))
        words += [word for each in births for word in outgoing_of(each)]
        committed = await delivery.commit(*words, records=records)
        for each, revision in zip((record, *made), committed.revisions, strict=False):
            self.recall.keep(each, revision)
        if waits is not None and any(self.down(target, waits.tenant) is None for target in waits.targets):
            self.waking.news()  # it came back while this was decided
        for step in steps_of(before, record):
            self.steps.add(1, {"action": step.action, "fault": step.fault_code})
        self.prospects.learn(before, record, delivery.message)

    async def _keep(self, change: Change, evidence: EvidenceKept, record: JobRecord, delivery: Delivery[Any]) -> None:
        """Keep the late answer of a job that has ended, once: its record, and the word that it was kept."""
        named = evidence_id(evidence.task_id, evidence.attempt)
        write = self.evidence.write(evidence.tenant, named, evidence, 0)
        with suppress(Conflict):  # it was kept before
            await delivery.commit(*outgoing_of(change), records=[write])
            self.prospects.learn_late(record, evidence)

    async def _born(self, parent: JobRecord, child: Child, meta: Meta) -> Change:
        """A child as a job, its document put where a job's document is; a replay's child knows whom it repeats."""
        if child.document is None:
            raise ValueError(f"{child.name} of job {parent.job_id} has nothing to do")
        submission = submission_of(parent, child, await self.blobs.get(child.document))
        document = await self.blobs.put(submission.canonical, "application/json")
        repeats = parent.replay and child_id(parent, child.name, parent.replay.of)
        first = await self.jobs.get(parent.tenant, repeats) if repeats else None
        return born(parent, child, submission, document, self.moment(meta), first=first.value if first else None)

    async def _told(self, before: JobRecord | None, after: JobRecord, parent: Parent) -> tuple[Say, ...]:
        """What a child that ends now tells its parent; its answer is put where the parent finds it."""
        if not after.is_over or (before is not None and before.is_over):
            return ()
        kept = after.result_ref
        if after.result is not None:
            kept = await self.blobs.put(encode_result(after.result), "application/json", inline_limit=0)
        return (Say(told(after, parent, kept)),)

    async def wake(self, stopping: asyncio.Event) -> None:
        """Have everybody looked at whose target is back, until told to stop."""
        await self.waking.run(self.down, stopping)


async def open_desk(deps: Deps[Settings]) -> Desk:
    """The desk of a control plane; it listens as long as the service lives.

    Raises:
        RulesError: the rules file cannot be used.
    """
    loads = await deps.lifetime.enter_async_context(loads_of(deps.bus, deps.clock))
    held = deps.bus.records(KIND, Waiting)
    waking = Waking(held, deps.bus.publisher, deps.clock)
    prospects = Prospects(deps.clock, loads.current, count(secrets.randbits(52)))
    appraisers = Appraisers(deps.bus, loads.current, deps.clock, deps.settings.appraisal_seconds)
    deps.lifetime.push_async_callback(appraisers.close)
    return Desk(
        jobs=deps.bus.records("job", JobRecord),
        held=held,
        routes=load_routes(deps.settings.rules_file, loads.current),
        targets=await deps.lifetime.enter_async_context(targets_of(deps.bus, deps.clock, waking.news)),
        waking=waking,
        blobs=deps.bus.blobs,
        recall=Recall(),
        clock=deps.clock,
        steps=deps.meter.create_counter(
            "quire.control_plane.steps",
            unit="{step}",
            description="Steps of fallback chains, by what was done and after which fault.",
        ),
        prospects=prospects,
        evidence=deps.bus.records(EVIDENCE, EvidenceKept),
        appraisers=appraisers,
        remembering=Remembering(prospects, deps.bus, deps.clock),
    )


def steps_of(before: JobRecord | None, after: JobRecord) -> Sequence[Decision]:
    """The steps of fallback chains that a change wrote down."""
    if before is None or before.decisions == after.decisions:
        return ()
    return [each for each in after.decisions[-2:] if each not in before.decisions and each.action != "first"]


def outgoing_of(change: Change) -> list[Outgoing]:
    """What a change says, in the job's own trace even where its cause came by another one (a cancellation)."""
    parent = change.record.traceparent if change.record is not None else None
    elsewhere = parent is not None and parent.split("-")[1] != (current_traceparent() or parent).split("-")[1]
    return [
        Outgoing(say.message, key=say.key, at=say.at, traceparent=parent if elsewhere else None) for say in change.says
    ]


def current_traceparent() -> str | None:
    """The W3C header of the span at hand."""
    return headers_of(trace.get_current_span())[0]
