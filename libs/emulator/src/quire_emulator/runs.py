"""Running a cloud's jobs in their turn: simulation in a thread, results to files, ends to the ledger."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from quire_emulator import braket_results, jobs_results
from quire_emulator.calibrations import calibration
from quire_emulator.circuits import CannotRunError
from quire_emulator.rules import draw
from quire_emulator.sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from quire_emulator.cloud import Cloud
    from quire_emulator.jobs import Job
    from quire_resilience.clock import Clock

_STEP: Final = 0.01
"""Seconds between two looks at the queues while something waits or runs."""


class Runs:
    """The hands of a cloud.

    results: the folder of result documents, one for each job; a job that a crash interrupted is run again, and its
    shots are the same. settled: returns once the ledger is on the disk.
    """

    def __init__(self, cloud: Cloud, clock: Clock, results: Path, settled: Callable[[], Awaitable[None]]) -> None:
        results.mkdir(parents=True, exist_ok=True)
        self._settled = settled
        self._cloud, self._clock, self._results = cloud, clock, results
        self._sampler = Sampler()
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(1)  # one simulation at a time: the calls' answers need the other core
        self._something = asyncio.Event()

    def wake(self) -> None:
        """Something may have to be done."""
        self._something.set()

    async def forever(self) -> None:
        """Start and end jobs until cancelled."""
        while True:
            self._something.clear()
            now = self._clock.now().timestamp()
            for job in self._cloud.advance(now):
                if job.id not in self._at_work:
                    task = asyncio.create_task(self._run(job))
                    self._at_work[job.id] = task
                    task.add_done_callback(partial(self._done, job.id))
            await self._settled()
            if self._cloud.busy:
                await self._clock.sleep(_STEP)
            else:
                await self._something.wait()

    def _done(self, job_id: str, task: asyncio.Task[None]) -> None:
        self._at_work.pop(job_id, None)
        if not task.cancelled():
            task.result()  # what no rule foresaw is the loop's to report

    async def _run(self, job: Job) -> None:
        async with self._room:
            if job.over:
                return
            now = self._clock.now().timestamp()
            reason, good = job.made.fails, 0
            if not reason:
                try:
                    good = await asyncio.to_thread(self._result, job, now)
                except CannotRunError as error:
                    reason = str(error)[:500]
            self._cloud.end(job, max(now, self._clock.now().timestamp()), good=good, reason=reason)

    def _result(self, job: Job, ended: float) -> int:
        configuration = self._cloud.configuration
        device = self._cloud.devices[job.order.device]
        founded = self._cloud.register.founded or ended
        noise = calibration(device, configuration.seed, job.moved["RUNNING"] - founded).noise
        seed = int(draw(configuration.seed, "shots", str(job.number)) * 2**53)
        if job.order.api == "braket":
            arn = f"arn:aws:braket:{job.order.region}:{configuration.account}:quantum-task/{job.id}"
            body, good = braket_results.results(job, device, arn, ended, noise=noise, seed=seed, sampler=self._sampler)
        else:
            body, good = jobs_results.results(job, noise, seed, self._sampler, ended)
        draft = self._results / f"{job.id}.draft"
        draft.write_bytes(body)
        draft.rename(self._results / f"{job.id}.json")
        return good
