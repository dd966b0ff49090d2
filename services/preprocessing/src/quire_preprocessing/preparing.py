"""One job from its document to its preparation: parse and encode, each in its own stage."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from msgspec import UnsetType
from opentelemetry.trace import Tracer

from quire_contracts.document import EstimateJob, KernelJob, MinimizeJob, OptimizeJob, SampleJob, SweepJob
from quire_contracts.family import FamilyPlanned
from quire_contracts.intake import DocumentError, content_sha256, parse_document
from quire_contracts.kernel import ProgramMap
from quire_contracts.loop_circuits import ansaetze_of
from quire_contracts.preparation import JobPrepared, Preparation, PreparationFailed, PrepareJob
from quire_contracts.vqe import GivenAnsatz
from quire_preprocessing.cache.frames import Frame, Frames, key_of
from quire_preprocessing.cache.programs import Programs, Run
from quire_preprocessing.circuits import draft_of, parameter_matrix
from quire_preprocessing.draft import Bounds, Draft
from quire_preprocessing.families.planner import Planner
from quire_preprocessing.kernel.kernels import kernel_of
from quire_preprocessing.minimize.given_ansatz import pointer_of
from quire_preprocessing.minimize.minimisation import minimisation_of
from quire_preprocessing.optimize.optimisation import loop_of
from quire_preprocessing.refusal import Refused
from quire_preprocessing.stages import Stages
from quire_preprocessing.storing import ContentStore, put_away, put_matrix
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


class Minimisation(NamedTuple):
    """A Hamiltonian's document, and the program of each ansatz, None of one that it does not give as a program."""

    document: MinimizeJob
    programs: tuple[Program | None, ...]


class Kernel(NamedTuple):
    """A kernel's document, and the program of its feature map where it names one."""

    document: KernelJob
    program: Program | None


Work = OptimizeJob | Minimisation | Kernel | Circuit
"""What is prepared by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparer:
    """Prepares jobs. Equal documents and seeds give equal preparations; only the timings differ.

    programs: gives the program of a text.
    frames: what was put away for earlier jobs.
    store: where the large parts go.
    run: runs what takes long, in threads of our own, because hostile programs may hold them all for a while.
    at_once: lets so many jobs at a time hold what took long, so that memory is bounded.
    planner: plans the families of jobs that are done by several others.
    """

    programs: Programs
    frames: Frames
    store: ContentStore
    run: Run
    at_once: asyncio.Semaphore
    bounds: Bounds
    planner: Planner
    tracer: Tracer
    clock: Clock

    async def prepare(self, command: PrepareJob, body: bytes) -> JobPrepared | FamilyPlanned:
        """Prepare the job whose document is `body`, or plan the family that does it.

        Raises:
            Refused: with everything that is wrong with it.
        """
        stages = Stages(self.tracer, self.clock)
        try:
            with stages.stage("parse"):
                work = await self._read(body)
            if isinstance(work, SweepJob):
                return await self.planner.sweep(command, work, stages)
            if isinstance(work, OptimizeJob):
                async with self.at_once:
                    family = await self.planner.in_parts(command, work, stages)
                if family is not None:
                    return family
            preparation = await self._prepare(command, work, stages)
        except DocumentError as error:
            raise Refused("document-invalid", *error.problems) from None
        except ProgramRejected as rejection:
            raise Refused(rejection.code, rejection.problem("/program")) from None
        return JobPrepared(
            job_id=command.job_id,
            tenant=command.tenant,
            preparation=preparation,
            timings=stages.timings,
            baseline_to_come=isinstance(work, OptimizeJob | Minimisation),
        )

    async def _prepare(self, command: PrepareJob, work: Work, stages: Stages) -> Preparation:
        if isinstance(work, OptimizeJob):
            async with self.at_once:
                return await self._loop(work, command.seed, stages)
        if isinstance(work, Minimisation):
            async with self.at_once:
                return await self._minimisation(work, command.seed, stages)
        if isinstance(work, Kernel):
            async with self.at_once:
                return await self._kernel(work, stages)
        with stages.stage("encode") as span:
            preparation = await self._circuit(work)
            span.set_attribute("quire.structure.sha256", preparation.structure.sha256)
            return preparation

    async def _read(self, body: bytes) -> SweepJob | Work:
        document = parse_document(body)
        if isinstance(document, OptimizeJob | SweepJob):
            return document
        if isinstance(document, MinimizeJob):
            return await self._with_ansatz(document)
        if isinstance(document, KernelJob):
            return await self._mapped(document)
        return Circuit(document, await self.programs.program(document.program))

    async def _mapped(self, document: KernelJob) -> Kernel:
        asked = document.feature_map
        if not isinstance(asked, ProgramMap):
            return Kernel(document, None)
        try:
            return Kernel(document, await self.programs.program(asked.program))
        except ProgramRejected as rejection:
            raise Refused(rejection.code, rejection.problem("/feature_map/program")) from None

    async def _with_ansatz(self, document: MinimizeJob) -> Minimisation:
        several = not isinstance(document.algorithm.candidates, UnsetType)
        programs: list[Program | None] = []
        for place, asked in enumerate(ansaetze_of(document.algorithm)):
            if not isinstance(asked, GivenAnsatz):
                programs.append(None)
                continue
            try:
                programs.append(await self.programs.program(asked.program))
            except ProgramRejected as rejection:
                where = pointer_of(place, several=several)
                raise Refused(rejection.code, rejection.problem(where)) from None
        return Minimisation(document, tuple(programs))

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

    async def _minimisation(self, work: Minimisation, seed: int, stages: Stages) -> Preparation:
        document, programs = work
        with stages.stage("encode") as span:
            draft, _ = await self.run(partial(minimisation_of, document, programs, seed, self.bounds))
            span.set_attribute("quire.structure.sha256", draft.structure.sha256)
            return await put_away(draft, self.store, input_sha256=content_sha256(document))

    async def _loop(self, document: OptimizeJob, seed: int, stages: Stages) -> Preparation:
        with stages.stage("encode") as span:
            draft, _ = await self.run(partial(loop_of, document, seed, self.bounds))
            span.set_attribute("quire.structure.sha256", draft.structure.sha256)
            return await put_away(draft, self.store, input_sha256=content_sha256(document))


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
