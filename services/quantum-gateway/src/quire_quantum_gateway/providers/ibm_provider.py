"""IBM Quantum, and clouds whose jobs API is like its, behind the provider port: circuits compiled here, jobs by tag.

There is no token: a call that is repeated makes a second job. So each job bears its submission's name as a tag, by
which it is found; where tags are not kept either, nothing can be found, and the gateway must not call twice. A batch is
always one job. Queues are not waited for: `status` asks once. Exact values are refused: there are none on hardware.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from quire_plane import admit
from quire_quantum.executor import Capabilities
from quire_quantum.qiskit_home import settle
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.bounded import Bounded
from quire_quantum_gateway.providers.error_table import meanings
from quire_quantum_gateway.providers.faults import (
    Ambiguous,
    classified_of,
    classify_outcome,
    load,
    raised_for,
    translated,
)
from quire_quantum_gateway.providers.ibm_account import Missing, Request
from quire_quantum_gateway.providers.ibm_backends import Compilers, IbmSettings, Ran, Sent, outcome_of
from quire_quantum_gateway.providers.port import Availability, Found, IdentityMode, JobStatus, Quote, Size, Unfetched
from quire_quantum_gateway.sites import LOCAL, Site
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from quire_contracts.value import Fault
    from quire_plane.compile_cache import CompileCache
    from quire_quantum.executor import Outcome, Work
    from quire_quantum_gateway.drift import Snapshot
    from quire_quantum_gateway.providers.error_table import Operation
    from quire_quantum_gateway.providers.ibm_account import Account, Described, Job, Tallies
    from quire_quantum_gateway.providers.qiskit_compiled import Compiled
    from quire_resilience.clock import Clock

T = TypeVar("T")

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
_ENDED_KEPT: Final = 4_096


class IbmProvider:
    """The provider `ibm`; see `providers.port.Provider`."""

    name = "ibm"
    compiles = True

    def __init__(
        self, settings: IbmSettings, account: Callable[[], Account], clock: Clock, compiled: CompileCache[Compiled]
    ) -> None:
        """Nothing is imported or called before it is asked for.

        account: opens the account, on first use.
        """
        self._settings = settings
        self._open_account = account
        self._clock = clock
        self._bounded = Bounded(clock, settings.seconds, settings.calls)
        self._opening = Lock()
        self._account: Account | None = None
        self._compilers = Compilers(settings, compiled)
        self._ended: OrderedDict[str, Job] = OrderedDict()
        self._sent: OrderedDict[str, Sent] = OrderedDict()
        self._faults = load("ibm")

    def discover(self) -> Sequence[Capabilities]:
        """See `Provider.discover`."""
        return [self.capabilities(name) for name in self._settings.backends]

    def capabilities(self, backend: str) -> Capabilities:
        """See `Provider.capabilities`; asks the service the first time."""
        described = self._described(backend)
        return Capabilities(
            target=f"ibm:{backend}",
            max_qubits=int(described.backend.num_qubits),
            exact=False,
            simulator=described.simulator,
            max_shots=described.max_shots,
            folds=True,
            places=True,
        )

    def site(self, backend: str) -> Site:
        """See `Provider.site`."""
        if self._settings.identity == "forgetful":
            return Site("ibm", LOCAL, LOCAL, backend)
        return Site("ibm", self._settings.account, self._settings.region, backend)

    def identity_mode(self, backend: str) -> IdentityMode:  # noqa: ARG002 - the same for all
        """As configured."""
        return self._settings.identity

    def identity(self, backend: str) -> str | None:  # noqa: ARG002 - the same for all
        """None: no backend takes a seed."""
        return None

    def refresh(self) -> Sequence[str]:
        """See `Provider.refresh`; what cannot be described now keeps its last description."""
        changed = []
        for backend in self._compilers.opened():
            with suppress(QuireError, Ambiguous):
                if self._compilers.renew(backend, self._describe(backend)):
                    changed.append(backend)
        return changed

    def snapshots(self) -> Mapping[str, Snapshot]:
        """See `Provider.snapshots`."""
        return self._compilers.snapshots()

    def window(self, backend: str) -> Availability:
        """See `Provider.window`: the backend's status."""
        self._check(backend)
        found = self._call("describe", lambda account: account.availability(backend))
        described = self._compilers.described(backend)
        return found if described is None else replace(found, calibration_id=described.calibration_id)

    def cost(self, backend: str, work: Work) -> Quote:  # noqa: ARG002 - time is paid, and bounded
        """See `Provider.cost`: what the longest job costs."""
        return Quote(self._settings.longest * self._settings.second_usd)

    def size(self, backend: str, work: Work) -> Size | None:
        """See `Provider.size`."""
        admit(work, self.capabilities(backend))
        with translated(self._faults, "run"):
            sent = self._compilers.compile(backend, work)
        return Size(max(each.depth for each in sent.compiled), max(each.two_qubit_gates for each in sent.compiled))

    def submit(self, backend: str, work: Work, token: str, *, deadline: float = math.inf) -> str:
        """See `Provider.submit`: compile, then make one job of the whole batch."""
        admit(work, self.capabilities(backend))
        rows = np.concatenate([member.parameters for member in work.members])
        with translated(self._faults, "run"):
            sent = self._compilers.compile(backend, work)
        circuits = [each.routed for each in sent.compiled]
        requests = [Request(each, rows[:, [free.index for free in each.parameters]]) for each in circuits]
        described, tags = self._described(backend), [self._tag(token)] if self._settings.identity == "tag" else []
        self._remember(self._tag(token), sent)
        job_id = self._call("create", lambda account: account.run(described, requests, work.shots or 0, tags), deadline)
        self._remember(job_id, sent)
        return job_id

    def find(self, backend: str, token: str, since: datetime) -> Sequence[Found]:
        """See `Provider.find`."""
        if self._settings.identity != "tag":
            return ()
        self._check(backend)
        return self._search(backend, self._tag(token), since)

    def listed(self, since: datetime) -> Sequence[Found]:
        """See `Provider.listed`: all of the account's jobs are looked at, as no search knows beginnings of tags."""
        if self._settings.identity != "tag":
            return ()
        return self._search("", "", since)

    def status(self, job_id: str) -> JobStatus:
        """See `Provider.status`."""
        try:
            return self._job(job_id).status
        except LookupError:
            return "unknown"

    def cancel(self, job_id: str) -> None:
        """See `Provider.cancel`."""
        self._call("cancel", lambda account: account.cancel(job_id))

    def retrieve(self, backend: str, work: Work, job_id: str) -> Outcome:
        """See `Provider.retrieve`."""
        job = self._job(job_id)
        if job.status == "failed":
            raise raised_for(classify_outcome(self._faults, job.reason, job.code))
        if job.status == "cancelled":
            raise faults.error_of(meanings()["cancelled-at-provider"].fault)
        if job.status != "done" and self._settings.identity != "forgetful":
            raise LookupError(f"the job is {job.status}, and has no result yet")
        tallies = self._fetch(job_id)
        if len(tallies) != work.rows * len(work.circuits()) * max(1, len(work.scales)):
            # Some of its circuits did not run, and the service does not say why.
            raise faults.error_of(meanings()["execution-failed"].fault)
        ran = Ran(
            site=self.site(backend),
            described=self._described(backend),
            sent=self._sent_of(job, backend, work),
            job=job,
            ended=job.ended or self._clock.now(),
            tallies=tallies,
        )
        return outcome_of(ran, work, self._settings)

    def classify(self, error: BaseException) -> Fault:
        """See `Provider.classify`."""
        return faults.classify(error, self._faults).fault

    def _check(self, backend: str) -> None:
        if backend not in self._settings.backends:
            raise faults.error_of(meanings()["unsupported-target"].fault)

    def _tag(self, token: str) -> str:
        return f"{self._settings.prefix}-{token}"

    def _search(self, backend: str, tag: str, since: datetime) -> list[Found]:
        start = self._tag("")
        jobs = self._call("find", lambda account: list(account.jobs(backend, tag, since - _CLOCKS_DIFFER)))
        found = [
            Found(job.job_id, mark.removeprefix(start), job.backend, job.created, job.status)
            for job in jobs
            for mark in job.tags
            if mark.startswith(start)
        ]
        return sorted(found, key=lambda each: each.created_at)

    def _call(self, operation: Operation, call: Callable[[Account], T], deadline: float = math.inf) -> T:
        with translated(self._faults, operation):
            account = self._opened_account()  # imports take seconds, of which a call has few
            return self._bounded.call(lambda: call(account), deadline)

    def _opened_account(self) -> Account:
        with self._opening:
            if self._account is None:
                settle()
                self._account = self._open_account()
            return self._account

    def _job(self, job_id: str) -> Job:
        """A job; one that is over is not asked for again."""
        if job_id in self._ended:
            return self._ended[job_id]
        found = self._call("status", lambda account: _none_if_missing(lambda: account.job(job_id)))
        if found is None:
            raise LookupError(f"the provider knows no job {job_id}")
        if found.status in ("done", "failed", "cancelled"):
            self._ended[job_id] = found
            while len(self._ended) > _ENDED_KEPT:
                self._ended.popitem(last=False)
        return found

    def _remember(self, name: str, sent: Sent) -> None:
        self._sent[name] = sent
        while len(self._sent) > _ENDED_KEPT:
            self._sent.popitem(last=False)

    def _sent_of(self, job: Job, backend: str, work: Work) -> Sent:
        """What a job was given, as far as this process knows; else as it would be given now, less what may differ."""
        for name in (job.job_id, *job.tags):
            if (known := self._sent.get(name)) is not None:  # one look: another thread may drop it meanwhile
                return known
        return replace(self._compilers.compile(backend, work), calibration_id="", read_from=(), scales=())

    def _fetch(self, job_id: str) -> Sequence[Tallies]:
        try:
            found = self._call("fetch", lambda account: _none_if_missing(lambda: account.results(job_id)))
        except (QuireError, Ambiguous) as error:
            raise Unfetched("the job's result cannot be fetched now", classified_of(error)) from error
        if found is None:
            raise Unfetched("the job is done, and its result is not there yet")
        return found

    def _described(self, backend: str) -> Described:
        found = self._compilers.described(backend)
        if found is None:
            found = self._describe(backend)
            self._compilers.renew(backend, found)
        return found

    def _describe(self, backend: str) -> Described:
        self._check(backend)
        found = self._call("describe", lambda account: _none_if_missing(lambda: account.describe(backend)))
        if found is None:
            raise faults.error_of(meanings()["unsupported-target"].fault)
        return found


def _none_if_missing(call: Callable[[], T]) -> T | None:
    try:
        return call()
    except Missing:
        return None
