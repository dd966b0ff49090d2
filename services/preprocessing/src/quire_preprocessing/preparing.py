"""One job from its document to its preparation: parse, encode, baseline, each in its own stage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from opentelemetry.trace import Tracer

from quire_contracts.document import JobDocument, OptimizeJob
from quire_contracts.intake import DocumentError, content_sha256, parse_document
from quire_contracts.preparation import JobPrepared, PreparationFailed, PrepareJob
from quire_preprocessing.baseline import solve
from quire_preprocessing.circuits import draft_of
from quire_preprocessing.draft import Bounds, Draft
from quire_preprocessing.ising import Energy
from quire_preprocessing.optimisation import loop_of
from quire_preprocessing.refusal import Refused
from quire_preprocessing.stages import Stages
from quire_preprocessing.storing import ContentStore, put_away
from quire_quantum.lift import Program
from quire_quantum.rejection import ProgramRejected
from quire_resilience.clock import Clock

T = TypeVar("T")

ParseProgram = Callable[[str], Program]
"""A program's text taken apart, never in this process; it blocks, and raises ProgramRejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparer:
    """Prepares jobs. Equal documents and seeds give equal preparations; only the timings differ.

    store: where the large parts go.
    executor: runs what blocks: threads of our own, because hostile programs may hold them all for a while.
    exact_variables: up to how many variables the baseline is a proven optimum.
    """

    parse: ParseProgram
    store: ContentStore
    executor: Executor
    bounds: Bounds
    exact_variables: int
    tracer: Tracer
    clock: Clock

    async def prepare(self, command: PrepareJob, body: bytes) -> JobPrepared:
        """Prepare the job whose document is `body`.

        Raises:
            Refused: with everything that is wrong with it.
        """
        stages = Stages(self.tracer, self.clock)
        try:
            return await self._prepare(command, body, stages)
        except DocumentError as error:
            raise Refused("document-invalid", *error.problems) from None
        except ProgramRejected as rejection:
            raise Refused(rejection.code, rejection.problem("/program")) from None

    async def _prepare(self, command: PrepareJob, body: bytes, stages: Stages) -> JobPrepared:
        with stages.stage("parse"):
            document = parse_document(body)
            program = (
                None if isinstance(document, OptimizeJob) else await self._run(partial(self.parse, document.program))
            )
        with stages.stage("encode") as span:
            draft, energy = await self._run(partial(encode, document, program, command.seed, self.bounds))
            span.set_attribute("quire.structure.sha256", draft.structure.sha256)
        baseline = None
        if energy is not None:
            with stages.stage("baseline") as span:
                baseline = await self._run(partial(solve, energy, command.seed, exact_variables=self.exact_variables))
                span.set_attributes({"quire.baseline.method": baseline.method, "quire.baseline.exact": baseline.exact})
        preparation = await put_away(draft, self.store, input_sha256=content_sha256(document), baseline=baseline)
        return JobPrepared(
            job_id=command.job_id,
            tenant=command.tenant,
            preparation=preparation,
            timings=stages.timings,
            baseline_seconds=stages.seconds("baseline"),
        )

    def _run(self, work: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self.executor, work)


def encode(document: JobDocument, program: Program | None, seed: int, bounds: Bounds) -> tuple[Draft, Energy | None]:
    """A document as a draft: of its parsed program, or of its problem, whose energy is given along.

    Raises:
        Refused: with everything that is wrong with it.
        ValueError: for a document with a program whose program was not parsed.
    """
    if isinstance(document, OptimizeJob):
        draft, energy = loop_of(document, seed, bounds)
    elif program is not None:
        draft, energy = draft_of(document, program, bounds), None
    else:
        raise ValueError("the document's program has to be parsed first")
    # A structure keeps the text it once wrote: a long one is written here, off the event loop.
    draft.structure.to_text()
    return draft, energy


def refusal(command: PrepareJob, refused: Refused) -> PreparationFailed:
    """The event that tells a job's author what to change."""
    return PreparationFailed(
        job_id=command.job_id, tenant=command.tenant, fault=refused.fault, problems=refused.problems
    )
