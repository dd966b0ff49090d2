"""What the IBM adapter asks of an account, whoever speaks for it: IBM's own library, or a small client of its API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit
    from qiskit.providers import BackendV2

    from quire_quantum_gateway.providers.port import Availability, JobStatus
    from quire_resilience.clock import Clock

Tallies = dict[str, int]
"""How often each outcome was measured; outcomes in hexadecimal, bit 0 the lowest."""

STATUS: Final[dict[str, JobStatus]] = {
    "QUEUED": "queued",
    "INITIALIZING": "queued",
    "RUNNING": "running",
    "COMPLETED": "done",
    "DONE": "done",
    "FAILED": "failed",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
}
"""By the service's names and by its library's, in capitals."""


_RAN_TOO_LONG: Final = "1305"
"""The code of jobs that were cancelled because their longest time was over, which they have used up."""

PAGE: Final = 200
PAGES: Final = 100
"""How many jobs a search asks for at a time, and how often before it gives up."""


@dataclass(frozen=True, slots=True)
class Described:
    """A backend as it is now. calibration_id names what its target was made of; max_shots: None says no limit."""

    backend: BackendV2
    calibration_id: str
    simulator: bool
    max_shots: int | None


@dataclass(frozen=True, slots=True)
class Request:
    """A circuit that the backend takes as it is, and its parameters' values, float64 [rows, circuit.parameters]."""

    circuit: QuantumCircuit
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the account lists it. reason, code: why it failed, as the service says."""

    job_id: str
    backend: str
    status: JobStatus
    created: datetime
    ended: datetime | None = None
    tags: tuple[str, ...] = ()
    reason: str = ""
    code: str = ""
    quantum_seconds: float | None = None


def read_job(found: Mapping[str, Any]) -> Job:
    """A job as the service lists it.

    Raises:
        LookupError, TypeError, ValueError: it is not as it is known to be.
    """
    state = found.get("state") or {}
    status = STATUS.get(str(found["status"]).partition(" ")[0].upper(), "unknown")
    code = str(state.get("reason_code") or state.get("reasonCode") or "")
    return Job(
        job_id=str(found["id"]),
        backend=str(found.get("backend", "")),
        status="failed" if status == "cancelled" and code == _RAN_TOO_LONG else status,
        created=datetime.fromisoformat(found["created"]).astimezone(UTC),
        ended=datetime.fromisoformat(found["ended"]).astimezone(UTC) if found.get("ended") else None,
        tags=tuple(found.get("tags") or ()),
        reason=str(state.get("reason") or ""),
        code=code,
        quantum_seconds=(found.get("usage") or {}).get("quantum_seconds"),
    )


class Missing(Exception):
    """The account has no such thing; or a finished job's result is not there yet."""


class Account(Protocol):
    """An account; blocking calls, whose errors are those of its library."""

    def describe(self, name: str) -> Described:
        """The backend, as the service describes it now.

        Raises:
            Missing: there is none of that name.
        """
        ...

    def availability(self, name: str) -> Availability:
        """Whether the backend takes jobs, by one call."""
        ...

    def run(self, described: Described, requests: Sequence[Request], shots: int, tags: Sequence[str]) -> str:
        """Make a job of all rows of all requests, with these tags; its id."""
        ...

    def job(self, job_id: str) -> Job:
        """The job, as it is now.

        Raises:
            Missing: the account has none of that id.
        """
        ...

    def results(self, job_id: str) -> Sequence[Tallies]:
        """What a finished job measured, row by row of each request, in order.

        Raises:
            Missing: the result is not there yet.
        """
        ...

    def cancel(self, job_id: str) -> None:
        """Ask for a job to be cancelled; one that is over, or unknown, stays as it is."""
        ...

    def jobs(self, backend: str, tag: str, since: datetime) -> Iterable[Job]:
        """The jobs that were created since then: of a backend, with a tag; empty names stand for all."""
        ...


@dataclass(frozen=True, slots=True)
class Door:
    """How an account is reached.

    api: `runtime`, by IBM's library; `jobs`, by a small client at `url`; `local`, the library's stand-ins.
    url: None stands for IBM's own. token: empty for what the library has saved. instance: a CRN or name.
    seconds: the longest that a call may take. calls: how many may be under way at once. longest: seconds of a job.
    """

    api: Literal["runtime", "jobs", "local"]
    url: str | None
    token: str = field(repr=False)
    instance: str
    seconds: float
    calls: int
    longest: int


def open_account(door: Door, clock: Clock) -> Account:
    """The account behind a door; imports its SDK."""
    if door.api == "jobs":
        from quire_quantum_gateway.providers.ibm_rest import RestAccount  # noqa: PLC0415 - imports the SDK

        return RestAccount(door.url or "", door.token, seconds=door.seconds, calls=door.calls, longest=door.longest)
    from quire_quantum_gateway.providers.ibm_runtime import LocalAccount, RuntimeAccount, service  # noqa: PLC0415 - same

    if door.api == "local":
        return LocalAccount(clock)
    return RuntimeAccount(lambda: service(door.token, door.url, door.instance), door.longest)
