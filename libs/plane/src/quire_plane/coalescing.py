"""Identical work runs once: inside a batch, across batches in flight, and again later from memory.

Only repeatable work is shared (`content.keys`): exact, or sampled with a seed. Every answer is split back to whoever
asked for it, bit for bit what a run of its own would have given, because an executor's answers depend on nothing else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec
from opentelemetry.metrics import Observation

from quire_plane import content
from quire_plane.result_memory import Kept, ResultMemory
from quire_quantum.executor import MemberOutcome, Outcome, Work
from quire_resilience.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from opentelemetry.metrics import Meter

    from quire_contracts.value import Execution
    from quire_plane.fleet_results import FleetResults

    Perform = Callable[[Work], Awaitable[Outcome]]

Promise = asyncio.Future[Kept | None]
"""An answer on its way; None when its run ended badly."""

_AGAIN: Final = "identical work that was under way did not end well"


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where each member's answer comes from.

    `run` are places that run here, `copies` the places that repeat them, `known` are answered already, `joined` wait
    for another batch.
    """

    run: list[int]
    copies: dict[int, list[int]]
    known: dict[int, Kept]
    joined: dict[int, Promise]


class Coalescing:
    """What a process's batches share; for one event loop.

    memory: answers of this process. fleet: answers of all processes, asked only where work costs more than asking.
    meter: counts members by where their answer came from (`quire.results.shared`: run, batch, flight, memory, fleet).
    """

    def __init__(self, memory: ResultMemory, meter: Meter, fleet: FleetResults | None = None) -> None:
        """Nothing is in flight."""
        self._memory = memory
        self._fleet = fleet
        self._flying: dict[str, Promise] = {}
        self._shared = meter.create_counter(
            "quire.results.shared", unit="{member}", description="Batch members by where their answer came from."
        )
        meter.create_observable_gauge(
            "quire.results.kept",
            callbacks=[lambda _: [Observation(memory.bytes)]],
            unit="By",
            description="Answers kept in memory.",
        )

    async def run(self, work: Work, identity: str, perform: Perform) -> Outcome:
        """The work's outcome, running only what nobody has run and nobody is running.

        identity: as for `content.keys`.

        Raises:
            Transient: another batch's run of the same work ended badly; this batch's own part is kept for next time.
            Whatever `perform` raises.
        """
        keys = content.keys(identity, work)
        plan = self._plan(keys)
        mine = self._announce(keys, plan)
        try:
            await self._ask_fleet(work, keys, plan)
            outcome = await perform(_part(work, plan.run)) if plan.run else None
            if outcome is not None:
                await self._keep(work, keys, plan, outcome)
        finally:
            self._settle(mine, plan, keys)
        execution = outcome.execution if outcome is not None else None
        for place, promise in plan.joined.items():
            kept = await asyncio.shield(promise)
            if kept is None:
                raise Transient(_AGAIN, code="shared-run-ended-badly")
            plan.known[place] = kept
        return _outcome(work, plan, execution)

    def _plan(self, keys: Sequence[str | None]) -> _Plan:
        first: dict[str, int] = {}
        plan = _Plan([], {}, {}, {})
        for place, key in enumerate(keys):
            if key is None:
                plan.run.append(place)
            elif key in first:
                plan.copies.setdefault(first[key], []).append(place)
            elif (kept := self._memory.get(key)) is not None:
                plan.known[place] = kept
            elif (promise := self._flying.get(key)) is not None:
                plan.joined[place] = promise
            else:
                first[key] = place
                plan.run.append(place)
        repeated = sum(map(len, plan.copies.values()))
        for where, members in (("memory", len(plan.known)), ("flight", len(plan.joined)), ("batch", repeated)):
            self._count(where, members)
        return plan

    def _announce(self, keys: Sequence[str | None], plan: _Plan) -> dict[str, Promise]:
        """Say what this batch runs, before anything is waited for."""
        loop = asyncio.get_running_loop()
        mine = {key: loop.create_future() for place in plan.run if (key := keys[place]) is not None}
        self._flying.update(mine)
        return mine

    async def _ask_fleet(self, work: Work, keys: Sequence[str | None], plan: _Plan) -> None:
        if self._fleet is None:
            return
        asked = [
            (place, key)
            for place in plan.run
            if (key := keys[place]) is not None and self._fleet.worth_asking(work, work.members[place])
        ]
        found = await asyncio.gather(*(self._fleet.get(key) for _, key in asked))
        for (place, key), kept in zip(asked, found, strict=True):
            if kept is not None:
                self._memory.put(key, kept)
                plan.known[place] = kept
                plan.run.remove(place)
        self._count("fleet", sum(kept is not None for kept in found))

    async def _keep(self, work: Work, keys: Sequence[str | None], plan: _Plan, outcome: Outcome) -> None:
        each = outcome.execution.execute_seconds / max(
            1, sum(len(work.members[place].parameters) for place in plan.run)
        )
        worth = []
        for place, answer in zip(plan.run, outcome.members, strict=True):
            kept = Kept(answer, outcome.execution)
            plan.known[place] = kept
            key = keys[place]
            if key is not None and answer.fault is None:
                self._memory.put(key, kept)
                if self._fleet is not None and self._fleet.worth_keeping(each * len(work.members[place].parameters)):
                    worth.append((key, kept))
        self._count("run", len(plan.run))
        if self._fleet is not None:
            await asyncio.gather(*(self._fleet.put(key, kept) for key, kept in worth))

    def _settle(self, mine: dict[str, Promise], plan: _Plan, keys: Sequence[str | None]) -> None:
        """Give what others wait for, or tell them that it will not come."""
        by_key = {keys[place]: kept for place, kept in plan.known.items()}
        for key, promise in mine.items():
            del self._flying[key]
            promise.set_result(by_key.get(key))

    def _count(self, where: str, members: int) -> None:
        if members:
            self._shared.add(members, {"source": where})


def _part(work: Work, places: Sequence[int]) -> Work:
    if len(places) == len(work.members):
        return work
    return replace(work, members=tuple([work.members[place] for place in places]))


def _outcome(work: Work, plan: _Plan, ran: Execution | None) -> Outcome:
    """All answers in order, and an execution that says how many of them were not run for this batch."""
    members: list[MemberOutcome | None] = [None] * len(work.members)
    for place, kept in plan.known.items():
        for each in (place, *plan.copies.get(place, ())):
            members[each] = kept.outcome
    answered = tuple([each for each in members if each is not None])
    if len(answered) != len(work.members):
        raise RuntimeError("a member was left without an answer")
    shared = len(work.members) - len(plan.run)
    if ran is not None and not shared:
        return Outcome(answered, ran)
    return Outcome(answered, _shared(ran or next(iter(plan.known.values())).execution, work, shared, ran is None))


def _shared(execution: Execution, work: Work, shared: int, all_cached: bool) -> Execution:  # noqa: FBT001
    """What is said of a batch whose answers were not all run for it; what was run nowhere took no time and no money."""
    said = {**execution.provider_metadata, "cached": all_cached, "shared_members": shared}
    execution = msgspec.structs.replace(execution, parameter_sets=work.rows, provider_metadata=said)
    if not all_cached:
        return execution
    return msgspec.structs.replace(
        execution, queue_seconds=0.0, compile_seconds=0.0, execute_seconds=0.0, compile_cached=True, cost_usd=0.0
    )
