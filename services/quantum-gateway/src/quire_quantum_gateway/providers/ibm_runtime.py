"""IBM Quantum through IBM's own library, qiskit-ibm-runtime: its service, its sampler, its jobs.

Proven without an account: the library's local mode with stand-ins for backends, and its service, backends, sampler and
jobs against an emulated cloud. Not proven, for it needs IBM's: the search for the account's instances (so name one),
and the service's own limits and messages.

The library repeats a call up to five times on errors of 5xx, creating a job too: its makers say that those are safe.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager, suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qiskit.primitives import BaseSamplerV2
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.base_primitive import BasePrimitiveV2

from quire_quantum_gateway.providers.ibm_account import (
    PAGE,
    PAGES,
    STATUS,
    Described,
    Job,
    Missing,
    Request,
    Tallies,
    read_job,
)
from quire_quantum_gateway.providers.port import Availability
from quire_quantum_gateway.providers.qiskit_machines import open_fake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from qiskit_ibm_runtime.api.client import RuntimeClient

    from quire_resilience.clock import Clock


_KEPT: Final = 64
"""Local jobs that are remembered; the oldest is forgotten first."""


def service(token: str, url: str | None, instance: str) -> QiskitRuntimeService:
    """IBM's service; calls it. An empty token or instance stands for what the library has saved."""
    return QiskitRuntimeService(channel="ibm_quantum_platform", token=token or None, url=url, instance=instance or None)


class Sampler(SamplerV2):  # type: ignore[misc]
    """The library's sampler, without its warning that a later release puts another in its place."""

    def __init__(self, mode: Any, options: dict[str, Any]) -> None:
        BaseSamplerV2.__init__(self)
        BasePrimitiveV2.__init__(self, mode=mode, options=options)


class RuntimeAccount:
    """An account at IBM Quantum; see `ibm_account.Account`.

    open_service: opens the library's service, on first use.
    longest: seconds that a job may take at most, after which IBM stops it.
    """

    def __init__(self, open_service: Callable[[], QiskitRuntimeService], longest: int) -> None:
        """Nothing is called."""
        self._open = open_service
        self._longest = longest
        self._opened: QiskitRuntimeService | None = None

    def describe(self, name: str) -> Described:
        """See `Account.describe`."""
        backend = self._backend(name)
        backend.refresh()
        return Described(
            backend,
            calibration_id=_calibration(backend.properties()),
            simulator=False,
            max_shots=backend.configuration().max_shots,
        )

    def availability(self, name: str) -> Availability:
        """See `Account.availability`."""
        found = self._backend(name).status()
        is_open = bool(found.operational) and found.status_msg == "active"
        reason = "" if is_open else f"the backend is {found.status_msg}"
        return Availability(open=is_open, reason=reason, queued=found.pending_jobs)

    def run(self, described: Described, requests: Sequence[Request], shots: int, tags: Sequence[str]) -> str:
        """See `Account.run`."""
        options = {"environment": {"job_tags": list(tags)}, "max_execution_time": self._longest}
        return str(Sampler(described.backend, options).run(_pubs(requests), shots=shots).job_id())

    def job(self, job_id: str) -> Job:
        """See `Account.job`. The library's own way asks for a failed job's result too, and fails if it has none."""
        with _missing(f"the account has no job {job_id}", 404):
            found = self._client.job_get(job_id)
        return read_job(found)

    def results(self, job_id: str) -> Sequence[Tallies]:
        """See `Account.results`."""
        found = self._service.job(job_id).result()
        if found is None:
            raise Missing(f"job {job_id} has no result yet")
        return _tallies(found)

    def cancel(self, job_id: str) -> None:
        """See `Account.cancel`."""
        with suppress(Missing), _missing("it is over or unknown", 404, 409):
            self._client.job_cancel(job_id)

    def jobs(self, backend: str, tag: str, since: datetime) -> Iterator[Job]:
        """See `Account.jobs`."""
        for page in range(PAGES):
            listed = self._client.jobs_get(
                limit=PAGE,
                skip=page * PAGE,
                backend_name=backend or None,
                job_tags=[tag] if tag else None,
                created_after=since.astimezone().replace(tzinfo=None),  # it takes local times alone
                descending=False,
            )["jobs"]
            yield from map(read_job, listed)
            if len(listed) < PAGE:
                return
        raise LookupError(f"more than {PAGES} pages of jobs since {since}")

    @property
    def _service(self) -> QiskitRuntimeService:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    @property
    def _client(self) -> RuntimeClient:
        """What the service speaks through: it has no public name, but the service's own jobs take several calls."""
        return self._service._active_api_client  # noqa: SLF001

    def _backend(self, name: str) -> Any:
        try:
            return self._service.backend(name)
        except QiskitBackendNotFoundError as error:
            raise Missing(f"there is no backend {name}") from error


class LocalAccount:
    """The library's local mode: stand-ins for backends, run here by Aer; their jobs are forgotten with the process."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is opened."""
        self._clock = clock
        self._jobs: OrderedDict[str, tuple[Any, str, datetime]] = OrderedDict()

    def describe(self, name: str) -> Described:
        """See `Account.describe`."""
        backend = open_fake(name)  # the library's own way opens all of them, for one
        return Described(backend, _calibration(backend.properties()), simulator=True, max_shots=None)

    def availability(self, name: str) -> Availability:  # noqa: ARG002 - the same for all
        """Always open."""
        return Availability()

    def run(self, described: Described, requests: Sequence[Request], shots: int, tags: Sequence[str]) -> str:  # noqa: ARG002
        """See `Account.run`; nobody looks for the tags of what is not kept."""
        job = Sampler(described.backend, {}).run(_pubs(requests), shots=shots)
        self._jobs[job.job_id()] = (job, described.backend.name, self._clock.now())
        while len(self._jobs) > _KEPT:
            self._jobs.popitem(last=False)
        return str(job.job_id())

    def job(self, job_id: str) -> Job:
        """See `Account.job`."""
        if job_id not in self._jobs:
            raise Missing(f"no job {job_id} in this process")
        job, backend, created = self._jobs[job_id]
        return Job(job_id, backend, STATUS.get(_status(job), "unknown"), created)

    def results(self, job_id: str) -> Sequence[Tallies]:
        """See `Account.results`; waits for the job."""
        if job_id not in self._jobs:
            raise Missing(f"no job {job_id} in this process")
        return _tallies(self._jobs[job_id][0].result())

    def cancel(self, job_id: str) -> None:
        """See `Account.cancel`."""
        if job_id in self._jobs:
            self._jobs[job_id][0].cancel()

    def jobs(self, backend: str, tag: str, since: datetime) -> Sequence[Job]:  # noqa: ARG002 - nothing is kept
        """None."""
        return ()


def _pubs(requests: Sequence[Request]) -> list[tuple[Any, ...]]:
    """The sampler's units: rows of parameters together; a circuit without any, once for each row."""
    found: list[tuple[Any, ...]] = []
    for request in requests:
        if request.circuit.num_parameters:
            found.append((request.circuit, request.values))
        else:
            found += [(request.circuit,)] * len(request.values)
    return found


def _tallies(results: Any) -> list[Tallies]:
    found = []
    for result in results:
        (bits,) = result.data.values()
        for place in np.ndindex(bits.shape):
            counted = bits.get_int_counts(place) if place else bits.get_int_counts()
            found.append({hex(outcome): tally for outcome, tally in counted.items()})
    return found


def _calibration(properties: Any) -> str:
    return str(properties.last_update_date.astimezone(UTC).isoformat()) if properties is not None else "none"


def _status(job: Any) -> str:
    found = job.status()
    return str(getattr(found, "name", found)).upper()


@contextmanager
def _missing(reason: str, *statuses: int) -> Iterator[None]:
    """Around calls that find nothing, as the service says by HTTP's status."""
    try:
        yield
    except RequestsApiError as error:
        if error.status_code in statuses:
            raise Missing(reason) from error
        raise
