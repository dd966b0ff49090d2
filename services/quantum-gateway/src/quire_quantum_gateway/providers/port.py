"""The one interface of a provider: simulators, noisy stand-ins and hardware differ in configuration only."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.value import Fault
    from quire_quantum.executor import Capabilities, Outcome, Work

JobStatus = Literal["queued", "running", "done", "failed", "cancelled", "unknown"]
"""`unknown`: the provider knows no such job (any more); that is not the same as failed."""


_DIRECT: Final = itertools.count(1)
"""Tokens of work that no journal knows; unlike each other in this process."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a piece of work costs at most, in US dollars."""

    usd: float = 0.0


class Provider(Protocol):
    """A provider of backends. Every call may block; callers bring the threads.

    Errors of the provider's SDK come out as `Permanent` with the fault's class, or `Transient`. An error that no table
    knows comes out as it is: nobody can say whether the work was done, so it is never read as failed.
    """

    name: str
    """The first half of a target, as in `qiskit:aer`."""

    forgetful: bool
    """Jobs live in this process and cost nothing: after a crash they are gone, and running them again is free."""

    def discover(self) -> Sequence[Capabilities]:
        """The backends that are enabled here and what each can take."""
        ...

    def capabilities(self, backend: str) -> Capabilities:
        """What a backend can take.

        Raises:
            Permanent: kind `invalid` for an unknown backend, `offline` when the provider's SDK is not installed.
        """
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

    def cost(self, backend: str, work: Work) -> Quote:
        """What the work would cost there."""
        ...

    def submit(self, backend: str, work: Work, token: str) -> str:
        """Give the work to a backend; the provider's id of the job. The same token gives the same job.

        Raises:
            Permanent, Transient: the provider does not have the work.
        """
        ...

    def status(self, job_id: str) -> JobStatus:
        """How far a job is."""
        ...

    def cancel(self, job_id: str) -> None:
        """Ask for a job not to be run; one that is over or unknown stays as it is."""
        ...

    def retrieve(self, job_id: str) -> Outcome:
        """Wait for a job and give its outcome, in Qiskit's bit order; again as often as it is asked.

        Raises:
            Permanent, Transient: the job failed.
            LookupError: the provider knows no such job.
        """
        ...

    def classify(self, error: BaseException) -> Fault:
        """The class of an error of the provider's SDK, in words for a user; kind `unknown` if no table knows it."""
        ...


class ProviderExecutor:
    """One backend of a provider behind the executor port: submit, then retrieve."""

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
        return self._provider.retrieve(self._provider.submit(self._backend, work, token))
