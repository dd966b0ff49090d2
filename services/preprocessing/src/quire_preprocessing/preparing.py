"""One job from its document to its preparation: parse, encode, baseline, each in its own stage."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from opentelemetry.trace import Tracer

from quire_contracts.document import EstimateJob, KernelJob, OptimizeJob, SampleJob
from quire_contracts.intake import DocumentError, content_sha256, parse_document
from quire_contracts.kernel import ProgramMap
from quire_contracts.preparation import JobPrepared, Preparation, PreparationFailed, PrepareJob
from quire_preprocessing.baseline import solve, told
from quire_preprocessing.circuits import draft_of, parameter_matrix
from quire_preprocessing.draft import Bounds, Draft
from quire_preprocessing.frames import Frame, Frames, key_of
from quire_preprocessing.kernels import kernel_of
from quire_preprocessing.optimisation import infeasible, loop_of
from quire_preprocessing.programs import Programs, Run
from quire_preprocessing.refusal import Refused, refuse
from quire_preprocessing.stages import Stages
from quire_preprocessing.storing import ContentStore, put_away, put_matrix
from quire_problems import kind_of
from quire_quantum.lift import Program
from quire_quantum.rejection import ProgramRejected
from quire_resilience.clock import Clock

_SMALL: Final = 4_096
"""Angles, parameter sets times parameters, that are worked out on the event loop: up to about 0.1 ms, which is what
handing them to a thread costs."""


class Circuit(NamedTuple):
    """A document with a program, and the program."""

    document: SampleJob | EstimateJob
    program: Program


class Kernel(NamedTuple):
    """A kernel's document, and the program of its feature map where it names one."""

    document: KernelJob
    program: Program | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparer:
    """Prepares jobs. Equal documents and seeds give equal preparations; only the timings differ.

    programs: gives the program of a text.
    frames: what was put away for earlier jobs.
    store: where the large parts go.
    run: runs what takes long, in threads of our own, because hostile programs may hold them all for a while.
    at_once: lets so many jobs at a time hold what took long, so that memory is bounded.
    exact_variables: up to how many variables the baseline is a proven optimum.
    """

    programs: Programs
    frames: Frames
    store: ContentStore
    run: Run
    at_once: asyncio.Semaphore
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
            preparation = await self._prepare(command, body, stages)
        except DocumentError as error:
            raise Refused("document-invalid", *error.problems) from None
        except ProgramRejected as rejection:
            raise Refused(rejection.code, rejection.problem("/program")) from None
        return JobPrepared(
            job_id=command.job_id,
            tenant=command.tenant,
            preparation=preparation,
            timings=stages.timings,
            baseline_seconds=stages.seconds("baseline"),
        )

    async def _prepare(self, command: PrepareJob, body: bytes, stages: Stages) -> Preparation:
        with stages.stage("parse"):
            work = await self._read(body)
        if isinstance(work, OptimizeJob):
            async with self.at_once:
                return await self._loop(work, command.seed, stages)
        if isinstance(work, Kernel):
            async with self.at_once:
                return await self._kernel(work, stages)
        with stages.stage("encode") as span:
            preparation = await self._circuit(work)
            span.set_attribute("quire.structure.sha256", preparation.structure.sha256)
            return preparation

    async def _read(self, body: bytes) -> OptimizeJob | Kernel | Circuit:
        document = parse_document(body)
        if isinstance(document, OptimizeJob):
            return document
        if isinstance(document, KernelJob):
            return await self._mapped(document)
        if not isinstance(document, SampleJob | EstimateJob):
            raise refuse("kind-unknown", "/kind", "jobs of this kind are not prepared here", hint="name another kind")
        return Circuit(document, await self.programs.program(document.program))

    async def _mapped(self, document: KernelJob) -> Kernel:
        asked = document.feature_map
        if not isinstance(asked, ProgramMap):
            return Kernel(document, None)
        try:
            return Kernel(document, await self.programs.program(asked.program))
        except ProgramRejected as rejection:
            raise Refused(rejection.code, rejection.problem("/feature_map/program")) from None

    async def _circuit(self, work: Circuit) -> Preparation:
        document, program = work
        key = key_of(document, program.structure.sha256)
        frame = self.frames.get(key)
        if frame is not None and len(document.parameters) * len(program.angles.columns) <= _SMALL:
            numbers = parameter_matrix(document.parameters, program.angles, self.bounds)
            return frame.filled(document, await put_matrix(numbers, self.store), self.bounds)
        async with self.at_once:
            if frame is not None:
                numbers = await self.run(partial(parameter_matrix, document.parameters, program.angles, self.bounds))
                return frame.filled(document, await put_matrix(numbers, self.store), self.bounds)
            draft = await self.run(partial(drafted, document, program, self.bounds))
            preparation = await put_away(draft, self.store, input_sha256=content_sha256(document))
            self.frames.put(key, Frame(preparation, draft.circuits))
            return preparation

    async def _kernel(self, work: Kernel, stages: Stages) -> Preparation:
        document, program = work
        with stages.stage("encode") as span:
            draft = await self.run(partial(kernel_of, document, program, self.bounds))
            span.set_attribute("quire.structure.sha256", draft.structure.sha256)
            return await put_away(draft, self.store, input_sha256=content_sha256(document))

    async def _loop(self, document: OptimizeJob, seed: int, stages: Stages) -> Preparation:
        with stages.stage("encode") as span:
            draft, energy = await self.run(partial(loop_of, document, seed, self.bounds))
            span.set_attribute("quire.structure.sha256", draft.structure.sha256)
        with stages.stage("baseline") as span:
            kind = kind_of(document.problem)
            baseline = await self.run(lambda: told(solve(energy, seed, exact_variables=self.exact_variables), kind))
            if baseline.exact and not baseline.feasible:
                raise infeasible(baseline)
            span.set_attributes({"quire.baseline.method": baseline.method, "quire.baseline.exact": baseline.exact})
        return await put_away(draft, self.store, input_sha256=content_sha256(document), baseline=baseline)


def drafted(document: SampleJob | EstimateJob, program: Program, bounds: Bounds) -> Draft:
    """The draft, its structure's text written: a long one takes time, and a structure keeps what it once wrote."""
    draft = draft_of(document, program, bounds)
    draft.structure.to_text()
    return draft


def refusal(command: PrepareJob, refused: Refused) -> PreparationFailed:
    """The event that tells a job's author what to change."""
    return PreparationFailed(
        job_id=command.job_id, tenant=command.tenant, fault=refused.fault, problems=refused.problems
    )
