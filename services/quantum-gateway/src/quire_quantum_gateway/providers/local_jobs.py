"""Jobs of simulators in this process: accepted at once, run by whoever retrieves them first, forgotten in time."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import CancelledError, Future
from threading import Lock
from typing import TYPE_CHECKING, Final

from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import Callable

    from quire_quantum.executor import Outcome
    from quire_quantum_gateway.providers.port import JobStatus

_PREFIX: Final = "local-"


class LocalJobs:
    """A small provider's memory. Thread-safe.

    keep: how many finished jobs are remembered; the oldest is forgotten first.
    """

    def __init__(self, keep: int = 16) -> None:
        """No job yet."""
        self._keep = keep
        self._lock = Lock()
        self._jobs: OrderedDict[str, tuple[Future[Outcome], Callable[[], Outcome]]] = OrderedDict()

    def accept(self, token: str, call: Callable[[], Outcome]) -> str:
        """Remember a job under its token; the same token gives the same id and keeps the first call."""
        job_id = _PREFIX + token
        with self._lock:
            if job_id not in self._jobs:
                self._jobs[job_id] = (Future(), call)
        return job_id

    def status(self, job_id: str) -> JobStatus:
        """How far a job is."""
        with self._lock:
            entry = self._jobs.get(job_id)
        if entry is None:
            return "unknown"
        future = entry[0]
        if future.cancelled():
            return "cancelled"
        if future.done():
            return "failed" if future.exception() else "done"
        return "running" if future.running() else "queued"

    def cancel(self, job_id: str) -> None:
        """Cancel a job that has not begun."""
        with self._lock:
            entry = self._jobs.get(job_id)
        if entry is not None:
            entry[0].cancel()

    def result(self, job_id: str) -> Outcome:
        """Run the job in this thread, or wait for the thread that runs it.

        Raises:
            LookupError: there is no such job.
            Permanent: it was cancelled.
            Whatever the job raises.
        """
        with self._lock:
            entry = self._jobs.get(job_id)
            if entry is None:
                raise LookupError(f"no job {job_id} in this process")
            future, call = entry
            mine = not future.running() and not future.done() and future.set_running_or_notify_cancel()
        if mine:
            self._run(future, call)
        try:
            return future.result()
        except CancelledError:
            raise Permanent("cancelled", "the job was cancelled before it ran", kind="unknown") from None

    def _run(self, future: Future[Outcome], call: Callable[[], Outcome]) -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - it is raised again for everybody who asks for the result
            future.set_exception(error)
        with self._lock:
            over = [job_id for job_id, (each, _) in self._jobs.items() if each.done()]
            for job_id in over[: -self._keep]:
                del self._jobs[job_id]
