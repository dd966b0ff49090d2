"""Simulators of this process behind the provider port: jobs, provenance and fault classes alike for all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from quire_contracts.value import Execution
from quire_plane import admit
from quire_quantum.executor import Outcome
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.faults import translated
from quire_quantum_gateway.providers.local_jobs import LocalJobs
from quire_quantum_gateway.providers.port import Availability, Found, IdentityMode, JobStatus, Quote, Size
from quire_quantum_gateway.sites import LOCAL, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from quire_contracts.value import Fault
    from quire_quantum.executor import Capabilities, MemberOutcome, Work
    from quire_quantum_gateway.drift import Snapshot
    from quire_quantum_gateway.providers.error_table import Table
    from quire_resilience.clock import Clock

    Facts = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Work that is compiled and waits to be run, and what there is to say of how.

    cached: whether every compilation was kept from before.
    read_from, scales: as `Outcome` has them.
    """

    run: Callable[[], tuple[MemberOutcome, ...]]
    cached: bool
    depth: int
    two_qubit_gates: int
    calibration_id: str = "none"
    transpiler: Facts = field(default_factory=dict)
    metadata: Facts = field(default_factory=dict)
    read_from: tuple[tuple[int, ...], ...] = ()
    scales: tuple[float, ...] = ()


class Simulators(Protocol):
    """One SDK's simulators; blocking calls. Its own exceptions are classed by `faults`."""

    name: str
    faults: Table

    def discover(self) -> Sequence[Capabilities]:
        """See `Provider.discover`."""
        ...

    def capabilities(self, backend: str) -> Capabilities:
        """See `Provider.capabilities`."""
        ...

    def identity(self, backend: str) -> str | None:
        """See `Provider.identity`."""
        ...

    def refresh(self) -> Sequence[str]:
        """See `Provider.refresh`."""
        ...

    def snapshots(self) -> Mapping[str, Snapshot]:
        """See `Provider.snapshots`."""
        ...

    def prepare(self, backend: str, work: Work) -> Ready:
        """Compile admitted work, or find it compiled."""
        ...


class LocalProvider:
    """A provider whose jobs live in this process; see `providers.port.Provider`."""

    compiles = True

    def __init__(self, simulators: Simulators, clock: Clock) -> None:
        """Nothing is imported or opened before it is asked for."""
        self.name = simulators.name
        self._simulators = simulators
        self._clock = clock
        self._jobs = LocalJobs()

    def discover(self) -> Sequence[Capabilities]:
        """See `Provider.discover`."""
        return self._simulators.discover()

    def capabilities(self, backend: str) -> Capabilities:
        """See `Provider.capabilities`."""
        return self._simulators.capabilities(backend)

    def site(self, backend: str) -> Site:
        """This process."""
        return Site(self.name, LOCAL, LOCAL, backend)

    def identity_mode(self, backend: str) -> IdentityMode:  # noqa: ARG002 - the same for all
        """Nothing outlives the process."""
        return "forgetful"

    def identity(self, backend: str) -> str | None:
        """See `Provider.identity`."""
        return self._simulators.identity(backend)

    def refresh(self) -> Sequence[str]:
        """See `Provider.refresh`."""
        return self._simulators.refresh()

    def snapshots(self) -> Mapping[str, Snapshot]:
        """See `Provider.snapshots`."""
        return self._simulators.snapshots()

    def window(self, backend: str) -> Availability:  # noqa: ARG002 - the same for all
        """Always open."""
        return Availability()

    def cost(self, backend: str, work: Work) -> Quote:  # noqa: ARG002 - simulators are free, whatever they run
        """Nothing."""
        return Quote()

    def size(self, backend: str, work: Work) -> Size | None:
        """See `Provider.size`."""
        admit(work, self.capabilities(backend))
        with translated(self._simulators.faults):
            ready = self._simulators.prepare(backend, work)
        return Size(ready.depth, ready.two_qubit_gates)

    def submit(self, backend: str, work: Work, token: str, *, deadline: float = math.inf) -> str:  # noqa: ARG002
        """Accept the work, at once; it runs when it is retrieved.

        Raises:
            Permanent: the backend cannot take it.
        """
        admit(work, self.capabilities(backend))
        return self._jobs.accept(token, lambda: self._execute(backend, work, f"local-{token}"))

    def find(self, backend: str, token: str, since: datetime) -> Sequence[Found]:  # noqa: ARG002 - nothing is kept
        """Nothing: a job is not looked for but run again."""
        return ()

    def listed(self, since: datetime) -> Sequence[Found]:  # noqa: ARG002 - nothing is kept
        """Nothing."""
        return ()

    def status(self, job_id: str) -> JobStatus:
        """See `Provider.status`."""
        return self._jobs.status(job_id)

    def cancel(self, job_id: str) -> None:
        """See `Provider.cancel`."""
        self._jobs.cancel(job_id)

    def retrieve(self, backend: str, work: Work, job_id: str) -> Outcome:  # noqa: ARG002 - the job knows them
        """See `Provider.retrieve`."""
        return self._jobs.result(job_id)

    def classify(self, error: BaseException) -> Fault:
        """See `Provider.classify`."""
        return faults.classify(error, self._simulators.faults).fault

    def _execute(self, backend: str, work: Work, job_id: str) -> Outcome:
        started_at, began = self._clock.now(), self._clock.monotonic()
        with translated(self._simulators.faults):
            ready = self._simulators.prepare(backend, work)
            compiled = self._clock.monotonic()
            members = ready.run()
        execution = Execution(
            target=f"{self.name}:{backend}",
            provider=self.name,
            backend=backend,
            region="local",
            calibration_id=ready.calibration_id,
            circuit_sha256=work.structure.sha256,
            shots=work.shots,
            parameter_sets=work.rows,
            started_at=started_at,
            queue_seconds=0.0,
            compile_seconds=compiled - began,
            execute_seconds=self._clock.monotonic() - compiled,
            provider_job_id=job_id,
            simulator=True,
            compile_cached=ready.cached,
            compiled_depth=ready.depth,
            two_qubit_gates=ready.two_qubit_gates,
            cost_usd=self.cost(backend, work).usd,
            transpiler=dict(ready.transpiler),
            provider_metadata=dict(ready.metadata),
        )
        return Outcome(members, execution, ready.read_from, ready.scales)
