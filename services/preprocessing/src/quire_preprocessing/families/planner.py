"""What preprocessing does with the bus around families: plan them, put their documents away, gather their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from quire_contracts.document import OptimizeJob, SweepJob
from quire_contracts.family import Child, ChildPlan, FamilyGathered, FamilyPlanned
from quire_contracts.intake import parse_document
from quire_contracts.partitioned import Partition
from quire_contracts.result import JobResult, SampleResult, decode_result, encode_result
from quire_preprocessing.families import gathering, planning
from quire_preprocessing.families.needing import need_of_parts
from quire_preprocessing.families.splitting import split
from quire_preprocessing.optimize.ising import energy_of
from quire_preprocessing.stages import Stages
from quire_preprocessing.storing import ContentStore
from quire_problems import kind_of
from quire_quantum.counts import PackedCounts, unpack

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from quire_contracts.family import GatherFamily
    from quire_contracts.preparation import PrepareJob
    from quire_contracts.value import BlobRef
    from quire_preprocessing.cache.programs import Run
    from quire_preprocessing.draft import Bounds
    from quire_preprocessing.families.planning import Member
    from quire_resilience.clock import Clock

DOCUMENT: Final = "application/json"
RESULT_BYTES: Final = 48 * 1024
"""JSON of a result that still travels in a message; above it goes by reference."""

WRITTEN_BYTES: Final = 64 * 1024
"""Packed counts of a variant up to which its point has them written out."""

_AT_ONCE: Final = 16


class FamilyStore(ContentStore, Protocol):
    """What is needed of `quire_bus.blobs.Blobs`."""

    async def get(self, ref: BlobRef) -> bytes:
        """The content; raises `Permanent` where it is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans families and gathers them. Equal documents, seeds and answers give equal plans and answers."""

    store: FamilyStore
    run: Run
    bounds: Bounds
    tracer: Tracer
    clock: Clock

    async def sweep(self, command: PrepareJob, document: SweepJob, stages: Stages) -> FamilyPlanned:
        """One member for each variant."""
        with stages.stage("encode"):
            children = await self._put_away(planning.variants(document, self.bounds.max_variables))
        return FamilyPlanned(
            job_id=command.job_id,
            tenant=command.tenant,
            children=children,
            allow_partial=document.allow_partial,
            timings=stages.timings,
        )

    async def in_parts(self, command: PrepareJob, document: OptimizeJob, stages: Stages) -> FamilyPlanned | None:
        """One member for each part of a problem that is to be taken apart; None of one that is solved whole.

        Raises:
            Refused: a problem that is too wide even in parts, or that has no energy.
        """
        kind = kind_of(document.problem)
        partition = planning.partition_of(document, kind.variables, self.bounds.max_variables)
        if partition is None:
            return None
        with stages.stage("encode") as span:
            energy = await self.run(partial(energy_of, document.problem))
            found = await self.run(partial(split, energy, partition.max_variables, command.seed))
            children = await self._put_away(planning.parts(document, energy, found))
            span.set_attribute("quire.parts", len(found))
        return FamilyPlanned(
            job_id=command.job_id,
            tenant=command.tenant,
            children=children,
            to_come=1,
            need_to_come=need_of_parts(document, len(found), partition.max_variables),
            allow_partial=partition.allow_partial,
            sense="max" if energy.scale == -1 else "min",
            unit=kind.unit,
            timings=stages.timings,
            baseline_to_come=True,
        )

    async def gather(self, command: GatherFamily) -> FamilyPlanned | FamilyGathered:
        """The family's answer, or the merge that comes before it.

        Raises:
            Permanent: an answer, or the document, is gone or cannot be read.
        """
        stages = Stages(self.tracer, self.clock)
        document = parse_document(await self.store.get(command.document))
        with stages.stage("gather"):
            results = await self._results(command.children)
            if isinstance(document, OptimizeJob):
                outcome = await self._put_together(command, document, results)
                if isinstance(outcome, FamilyPlanned):
                    return outcome
            elif isinstance(document, SweepJob):
                outcome = gathering.table(document, command, results)
            else:
                raise TypeError(f"job {command.job_id} has no family: {type(document).__name__}")
            content = encode_result(outcome)
            large = len(content) > RESULT_BYTES
            ref = await self.store.put(content, DOCUMENT, inline_limit=0) if large else None
        return FamilyGathered(
            job_id=command.job_id,
            tenant=command.tenant,
            step=command.step,
            result=None if large else outcome,
            result_ref=ref,
            timings=stages.timings,
            closing=command.closing,
        )

    async def _put_together(
        self, command: GatherFamily, document: OptimizeJob, results: gathering.Results
    ) -> FamilyPlanned | JobResult:
        kind = kind_of(document.problem)
        widest = self.bounds.max_variables
        partition = planning.partition_of(document, kind.variables, widest) or Partition(max_variables=widest)
        energy = await self.run(partial(energy_of, document.problem))
        if command.step == 0 and not command.closing:
            problem = gathering.merge_of(energy, command.children, results)
            if problem is not None:
                children = await self._put_away([planning.merge(document, problem, partition)])
                return FamilyPlanned(
                    job_id=command.job_id,
                    tenant=command.tenant,
                    step=1,
                    children=children,
                    allow_partial=partition.allow_partial,
                )
        puzzle = gathering.Puzzle(kind, energy, partition)
        return await self.run(partial(gathering.solved, puzzle, command, results, self.clock))

    async def _put_away(self, members: Sequence[Member]) -> tuple[ChildPlan, ...]:
        """The members' plans, their documents in the store: never in the plan, for there may be many."""
        plans = [
            ChildPlan(
                name=member.name,
                role=member.role,
                document=await self.store.put(member.body, DOCUMENT, inline_limit=0) if member.body else None,
                label=member.label,
                x=member.x,
                variables=member.variables,
                need=member.need,
            )
            for member in members
        ]
        return tuple(plans)

    async def _results(self, children: Sequence[Child]) -> dict[str, JobResult]:
        """The answers that there are, by the members' names."""
        free = asyncio.Semaphore(_AT_ONCE)

        async def read(child: Child) -> JobResult | None:
            async with free:
                return None if child.result is None else await self._result(await self.store.get(child.result))

        found = await asyncio.gather(*(read(child) for child in children))
        return {child.name: result for child, result in zip(children, found, strict=True) if result is not None}

    async def _result(self, content: bytes) -> JobResult:
        """An answer; packed counts that are not many are written out."""
        result = decode_result(content)
        if not isinstance(result, SampleResult) or result.table is None or result.table.data.size > WRITTEN_BYTES:
            return result
        table = result.table
        packed = PackedCounts.from_bytes(await self.store.get(table.data), rows=table.rows, bits=table.bits)
        return msgspec.structs.replace(result, counts=tuple(unpack(packed)), table=None)
