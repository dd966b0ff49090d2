"""Where decisions are written down: the record, what it says, and who waits, in one commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from quire_bus.envelope import Outgoing
from quire_bus.tracing import headers_of
from quire_contracts.record import Decision, JobRecord
from quire_control_plane.change import Change, Moment
from quire_control_plane.recall import Recall
from quire_control_plane.routing import Routes, load_routes
from quire_control_plane.unwanted import stopping
from quire_control_plane.waiting import KEPT_SECONDS, KIND, Waiting, Waking, entry
from quire_service.loads import loads_of
from quire_service.targets import Targets, targets_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from opentelemetry.metrics import Counter

    from quire_bus.delivery import Delivery
    from quire_bus.envelope import Meta
    from quire_bus.records import Records, Stored
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
    recall: Recall
    clock: Clock
    steps: Counter

    def down(self, target: str, tenant: str) -> str | None:
        """Why a target takes no work of a tenant now; None if it does."""
        state = self.targets.down(target, tenant)
        return None if state is None else state.reason or state.reason_code or state.state

    def moment(self, meta: Meta) -> Moment:
        """The present, for a decision on a message."""
        return Moment(self.clock.now(), meta.id, self.routes.routing, self.routes.chain, self.down)

    async def commit(self, change: Change, delivery: Delivery[Any], stored: Stored[JobRecord] | None) -> None:
        """Write the record and send what it says, all or nothing; a change that is none writes nothing.

        Raises:
            Conflict: the record was written by somebody else since it was read.
        """
        before = stored.value if stored else None
        if before is not None:
            change = stopping(before, change, getattr(delivery.message, "task_id", None))
        record = change.record
        if record is None:
            if change.says:
                await delivery.commit(*outgoing_of(change))
            return
        records = [self.jobs.write(record.tenant, record.job_id, record, stored.revision if stored else 0)]
        waits = entry(before, record)
        if waits is not None:
            records.append(self.held.write(waits.tenant, waits.job_id, waits, None, KEPT_SECONDS))
        committed = await delivery.commit(*outgoing_of(change), records=records)
        self.recall.keep(record, committed.revisions[0])
        if waits is not None and any(self.down(target, waits.tenant) is None for target in waits.targets):
            self.waking.news()  # it came back while this was decided
        for step in steps_of(before, record):
            self.steps.add(1, {"action": step.action, "fault": step.fault_code})

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
    return Desk(
        jobs=deps.bus.records("job", JobRecord),
        held=held,
        routes=load_routes(deps.settings.rules_file, loads.current),
        targets=await deps.lifetime.enter_async_context(targets_of(deps.bus, deps.clock, waking.news)),
        waking=waking,
        recall=Recall(),
        clock=deps.clock,
        steps=deps.meter.create_counter(
            "quire.control_plane.steps",
            unit="{step}",
            description="Steps of fallback chains, by what was done and after which fault.",
        ),
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
