"""The one interface of a provider: simulators, noisy stand-ins and hardware differ in configuration only."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from quire_quantum_gateway.providers.faults import Ambiguous

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from quire_contracts.value import Fault
    from quire_quantum.executor import Capabilities, Outcome, Work
    from quire_quantum_gateway.drift import Snapshot
    from quire_quantum_gateway.providers.faults import Classified
    from quire_quantum_gateway.sites import Site

__all__ = [
    "Ambiguous",
    "Availability",
    "Found",
    "IdentityMode",
    "JobStatus",
    "Provider",
    "ProviderExecutor",
    "Quote",
    "Unfetched",
]

JobStatus = Literal["queued", "running", "done", "failed", "cancelled", "unknown"]
"""`unknown`: the provider knows no such job (any more); that is not the same as failed."""

IdentityMode = Literal["forgetful", "token", "tag", "none"]
"""How a job is known again whose submission nobody saw end.

forgetful: jobs live in this process and cost nothing; after a crash they are gone, and running them again is free.
token: the provider makes one job of all calls with the same token, and can be searched for it.
tag: a job carries the token, and the provider can be searched for it; a second call makes a second job.
none: neither.
"""

_DIRECT: Final = itertools.count(1)
"""Tokens of work that no journal knows; unlike each other in this process."""


class Unfetched(Exception):
    """A job has a result that could not be fetched: fetching may be repeated, submitting may not.

    found: what the error was classed as, if it came from the provider.
    """

    def __init__(self, reason: str, found: Classified | None = None) -> None:
        super().__init__(reason)
        self.found = found
        self.retry_after = found.retry_after if found is not None else None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a piece of work costs at most, in US dollars."""

    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Size:
    """A compiled circuit's depth, and its two-qubit gates."""

    depth: int
    two_qubit_gates: int


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a backend takes work now, as its provider says.

    until: when it is expected to open, or to close if it is open; None where nobody says.
    reason: why it is closed, in words for an operator.
    retired: it will not open again.
    queued: jobs that wait at the provider; None where it does not say.
    calibration_id: names the present calibration.
    """

    open: bool = True
    until: datetime | None = None
    reason: str = ""
    retired: bool = False
    queued: int | None = None
    calibration_id: str = "none"


@dataclass(frozen=True, slots=True)
class Found:
    """A job that the provider has under a token of ours.

    job_id: as `Provider.submit` would have given it; what `status`, `retrieve` and `cancel` take.
    complete: False for the remains of a submission that was interrupted between its parts. Such a job can be cancelled,
        or made whole by calling `submit` again with the same work and token; it cannot be retrieved.
    """

    job_id: str
    token: str
    backend: str
    created_at: datetime
    status: JobStatus
    complete: bool = True


class Provider(Protocol):
    """A provider of backends. Every call may block, but none waits for a remote queue; callers bring the threads.

    Errors of the provider's SDK come out as `Permanent` with the fault's class, as `Transient` or as `Ambiguous`; see
    `faults`. One that is none of them means the same as the last: nobody can say whether the work was done, so it is
    never read as failed.

    Remote providers end every call in bounded time and call their service once: retrying is the caller's affair.
    """

    name: str
    """The first half of a target, as in `qiskit:aer`."""

    compiles: bool
    """Whether circuits are compiled here, for the backend's calibration, and not by the provider when they run."""

    def discover(self) -> Sequence[Capabilities]:
        """The backends that are enabled here and what each can take."""
        ...

    def capabilities(self, backend: str) -> Capabilities:
        """What a backend can take.

        Raises:
            Permanent: kind `invalid` for an unknown backend, `offline` when the provider's SDK is not installed.
        """
        ...

    def site(self, backend: str) -> Site:
        """Where a backend's calls go, and on whose account; by configuration, without asking the provider."""
        ...

    def identity_mode(self, backend: str) -> IdentityMode:
        """How a job of the backend is known again; by configuration, without asking the provider."""
        ...

    def identity(self, backend: str) -> str | None:
        """Everything besides the work that a backend's numbers depend on: versions, settings, calibration.

        None where answers are not repeatable, as hardware's are not, or while the backend is not open; never waits
        once it is.
        """
        ...

    def refresh(self) -> Sequence[str]:
        """Read the calibrations of open backends again; the backends that have a new one.

        Their compilations are stale then and dropped, and their identity is another.
        """
        ...

    def snapshots(self) -> Mapping[str, Snapshot]:
        """The newest calibration that was read of each open backend that has any; calls nobody."""
        ...

    def window(self, backend: str) -> Availability:
        """Whether the backend takes work: a call that costs nothing, and the only one that probes a sick provider."""
        ...

    def cost(self, backend: str, work: Work) -> Quote:
        """What the work would cost there."""
        ...

    def size(self, backend: str, work: Work) -> Size | None:
        """How large the work's largest circuit becomes when it is compiled for the backend; it stays compiled.

        None where the provider compiles, when it runs.

        Raises:
            Permanent: it can never run there.
        """
        ...

    def submit(self, backend: str, work: Work, token: str, *, deadline: float = math.inf) -> str:
        """Give the work to a backend; the provider's id of the job.

        Where tokens are known, the same token gives the same job, so that a call can be repeated; elsewhere each call
        makes a job. Whoever repeats a call gives the same work. What has been run and failed needs another token.

        Args:
            backend: the second half of the target.
            work: what to run.
            token: at most 52 characters of a-z, 0-9 and -; names the submission at the provider.
            deadline: on the clock's `monotonic`. The provider is not called if it is too near for a call to end before
                it (`Transient`, code `too-late`), and the call is given up when it comes (`Ambiguous`).

        Raises:
            Permanent, Transient: the provider does not have the work.
            Ambiguous, and any other: nobody can say, or it has a part of the work, which a repeated call completes.
        """
        ...

    def find(self, backend: str, token: str, since: datetime) -> Sequence[Found]:
        """The jobs that the provider has under a token, earliest first; more than one is one too many.

        since: when the first call with the token may have been made; the search begins five minutes earlier, for
            clocks that differ. What was just submitted may not be found yet. Without tokens and tags nothing is found.
        """
        ...

    def listed(self, since: datetime) -> Sequence[Found]:
        """All jobs of this installation since then, of all enabled backends, earliest first; for reconciling."""
        ...

    def status(self, job_id: str) -> JobStatus:
        """How far a job is, now."""
        ...

    def cancel(self, job_id: str) -> None:
        """Ask for a job not to be run; one that is over or unknown stays as it is. `status` says what became of it."""
        ...

    def retrieve(self, backend: str, work: Work, job_id: str) -> Outcome:
        """The outcome of a job that is over, in Qiskit's bit order; again as often as it is asked.

        Local providers run the job, or wait for it. Also for a job that another process submitted.

        Args:
            backend: as it was submitted to.
            work: as it was submitted.
            job_id: from `submit` or `find`.

        Raises:
            Permanent, Transient: the job failed or was cancelled, and no longer counts as submitted.
            Unfetched: the job did not fail; its result could not be fetched now.
            LookupError: the provider knows no such job, or it is not over.
        """
        ...

    def classify(self, error: BaseException) -> Fault:
        """The class of an error of the provider's SDK, in words for a user; kind `unknown` if no table knows it."""
        ...


class ProviderExecutor:
    """One backend of a forgetful provider behind the executor port: submit, then retrieve."""

    def __init__(self, provider: Provider, backend: str) -> None:
        """Run on this backend."""
        self._provider = provider
        self._backend = backend

    def capabilities(self) -> Capabilities:
        """What the backend can take."""
        return self._provider.capabilities(self._backend)

    def execute(self, work: Work) -> Outcome:
        """Submit the work and wait for it; see `quire_quantum.executor.Executor`."""
        token = f"direct-{self._backend}-{next(_DIRECT)}"
        return self._provider.retrieve(self._backend, work, self._provider.submit(self._backend, work, token))
