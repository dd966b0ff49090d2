"""Amazon Braket's service behind the provider port.

Identity is by token: each task has ours as its `clientToken`, so that a repeated call makes no second one, and as a
tag, by which a search finds it when tokens are forgotten. Queues are not waited for: `status` asks once. Exact values
are refused: quantum computers have none, and managed simulators give them for one circuit a task.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from quire_plane import admit
from quire_quantum.executor import Capabilities
from quire_quantum_gateway.drift import Snapshot
from quire_quantum_gateway.providers import aws_tasks, faults
from quire_quantum_gateway.providers.aws_device import Device, availability, price
from quire_quantum_gateway.providers.aws_outcome import Ran, fault_of, outcome_of
from quire_quantum_gateway.providers.aws_results import ExecutableFailed, Measured, read_result
from quire_quantum_gateway.providers.aws_service import AwsService, AwsSettings
from quire_quantum_gateway.providers.error_table import meanings
from quire_quantum_gateway.providers.faults import Ambiguous, Classified, classified_of, classify_outcome, raised_for
from quire_quantum_gateway.providers.port import Availability, Found, IdentityMode, JobStatus, Quote, Size, Unfetched
from quire_quantum_gateway.sites import Site
from quire_resilience.errors import Permanent, QuireError, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from quire_contracts.value import Fault
    from quire_quantum.executor import Outcome, Work
    from quire_quantum_gateway.providers.aws_tasks import Plan
    from quire_resilience.clock import Clock

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
_SPENDING_SECONDS: Final = 60.0
_ENDED_KEPT: Final = 4_096


class AwsProvider:
    """The provider `aws`; see `providers.port.Provider`. One batch may be several tasks, which are one job here."""

    name = "aws"
    compiles = False

    def __init__(self, settings: AwsSettings, clock: Clock) -> None:
        """Nothing is imported or called before it is asked for."""
        self._settings = settings
        self._clock = clock
        self._service = AwsService(settings, clock)
        self._backends = {arn: name for name, arn in settings.devices.items()}
        self._devices: dict[str, Device] = {}
        self._spending: dict[str, tuple[float, float]] = {}
        self._ended: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    def discover(self) -> Sequence[Capabilities]:
        """See `Provider.discover`."""
        return [self.capabilities(name) for name in self._settings.devices]

    def capabilities(self, backend: str) -> Capabilities:
        """See `Provider.capabilities`; asks the service the first time."""
        device = self._device(backend)
        return Capabilities(
            target=f"aws:{backend}",
            max_qubits=device.max_qubits,
            exact=False,
            simulator=device.simulator,
            max_shots=device.most_shots,
            max_rows=self._settings.tasks * (device.sets.executables if device.sets is not None else 1),
            mid_circuit=False,
        )

    def site(self, backend: str) -> Site:
        """See `Provider.site`; an account without a number here is the one that the credentials belong to."""
        return Site("aws", self._settings.account or "default", self._service.region_of(self._arn(backend)), backend)

    def identity_mode(self, backend: str) -> IdentityMode:  # noqa: ARG002 - the same for all
        """By token."""
        return "token"

    def identity(self, backend: str) -> str | None:  # noqa: ARG002 - the same for all
        """None: no device takes a seed."""
        return None

    def refresh(self) -> Sequence[str]:
        """See `Provider.refresh`; what cannot be described now keeps its last description."""
        changed = []
        for backend, old in list(self._devices.items()):
            with suppress(QuireError):
                if self._describe(backend).calibration_id != old.calibration_id:
                    changed.append(backend)
        return changed

    def snapshots(self) -> Mapping[str, Snapshot]:
        """See `Provider.snapshots`."""
        known = list(self._devices.items())
        return {name: Snapshot(each.calibration_id, each.figures) for name, each in known if not each.simulator}

    def window(self, backend: str) -> Availability:
        """See `Provider.window`: one GetDevice."""
        return availability(self._describe(backend), self._clock.now())

    def cost(self, backend: str, work: Work) -> Quote:
        """See `Provider.cost`: by the device's price list and the price of a task, which that does not name."""
        device = self._device(backend)
        return self._quote(device, aws_tasks.plan(work, device), work)

    def size(self, backend: str, work: Work) -> Size | None:
        """See `Provider.size`: Amazon compiles; what no device of its takes is refused here."""
        admit(work, self.capabilities(backend))
        return None

    def submit(self, backend: str, work: Work, token: str, *, deadline: float = math.inf) -> str:
        """See `Provider.submit`. A batch of several tasks is given away task by task, each under a token of its own."""
        device = self._device(backend)
        admit(work, self.capabilities(backend))
        planned = aws_tasks.plan(work, device)
        if work.shots is not None and work.shots < device.fewest_shots:
            raise faults.error_of(meanings()["unsupported-shots"].fault)
        if len(planned.parts) > self._settings.tasks:
            raise faults.error_of(meanings()["program-too-large"].fault)
        self._check_spending(device, self._quote(device, planned, work).usd)
        arns: list[str] = []
        for request in self._requests(planned, work, token):
            try:
                arns.append(self._service.create(device.arn, until=deadline, **request))
            except Permanent:
                for arn in arns:
                    with suppress(QuireError, Ambiguous):
                        self._service.cancel(arn)
                raise
            except Transient as error:
                if arns:
                    raise _partly(error) from error
                raise
        return aws_tasks.join_arns(arns)

    def find(self, backend: str, token: str, since: datetime) -> Sequence[Found]:
        """See `Provider.find`."""
        tasks = self._service.tasks_since(self._arn(backend), since - _CLOCKS_DIFFER)
        found = aws_tasks.found_jobs(tasks, self._settings.prefix, self._backends)
        return [job for job in found if job.token == token]

    def listed(self, since: datetime) -> Sequence[Found]:
        """See `Provider.listed`."""
        tasks = [task for arn in self._backends for task in self._service.tasks_since(arn, since - _CLOCKS_DIFFER)]
        return aws_tasks.found_jobs(tasks, self._settings.prefix, self._backends)

    def status(self, job_id: str) -> JobStatus:
        """See `Provider.status`: one GetQuantumTask for each task that was not over the last time."""
        return aws_tasks.together([self._task_status(arn) for arn in aws_tasks.split_arns(job_id)])

    def cancel(self, job_id: str) -> None:
        """See `Provider.cancel`."""
        for arn in aws_tasks.split_arns(job_id):
            if arn not in self._ended:
                self._service.cancel(arn)

    def retrieve(self, backend: str, work: Work, job_id: str) -> Outcome:
        """See `Provider.retrieve`. If one of several tasks failed, what is left of the others is cancelled."""
        device, arns = self._device(backend), aws_tasks.split_arns(job_id)
        planned = aws_tasks.plan(work, device)
        tasks = [self._task(arn) for arn in arns]
        status = aws_tasks.together([aws_tasks.STATUS.get(task["status"], "unknown") for task in tasks])
        if status in ("failed", "cancelled"):
            with suppress(QuireError, Ambiguous):
                self.cancel(job_id)
            raise self._why(tasks)
        if status != "done":
            raise LookupError(f"the job is {status}, and has no result yet")
        if len(arns) != len(planned.parts):
            raise ValueError(f"the job has {len(arns)} tasks, the work {len(planned.parts)}")
        ran = Ran(device, planned, tuple(tasks), tuple(map(self._fetch, tasks)))
        region, task_usd = self._service.region_of(device.arn), self._settings.task_usd
        try:
            return outcome_of(ran, work, backend=backend, region=region, task_usd=task_usd)
        except ExecutableFailed as failed:
            raise faults.error_of(fault_of(failed)) from failed

    def classify(self, error: BaseException) -> Fault:
        """See `Provider.classify`."""
        return faults.classify(error, self._service.faults).fault

    def _arn(self, backend: str) -> str:
        if backend not in self._settings.devices:
            raise faults.error_of(meanings()["unsupported-target"].fault)
        return self._settings.devices[backend]

    def _device(self, backend: str) -> Device:
        return self._devices.get(backend) or self._describe(backend)

    def _describe(self, backend: str) -> Device:
        device = self._service.describe(self._arn(backend))
        if not device.programs:
            # An annealer or an analog machine: it takes no circuits.
            raise faults.error_of(meanings()["unsupported-target"].fault)
        self._devices[backend] = device
        return device

    def _quote(self, device: Device, planned: Plan, work: Work) -> Quote:
        shots = planned.executables * (work.shots or 0)
        return Quote(price(device, len(planned.parts), shots, self._settings.task_usd))

    def _check_spending(self, device: Device, usd: float) -> None:
        """Refuse what the device's spending limits would refuse: the service names no code for it.

        What is left is looked up once a minute; the limits themselves hold without this.
        """
        if not self._settings.watch_spending or usd == 0:
            return
        left, until = self._spending.get(device.arn, (math.inf, -math.inf))
        if self._clock.monotonic() >= until:
            left = aws_tasks.left_to_spend(self._service.spending_limits(device.arn), self._clock.now())
            until = self._clock.monotonic() + _SPENDING_SECONDS
        refused = usd > left
        self._spending[device.arn] = (left if refused else left - usd, until)
        if refused:
            raise faults.error_of(meanings()["spending-limit"].fault)

    def _requests(self, planned: Plan, work: Work, token: str) -> Iterator[dict[str, Any]]:
        """What `AwsService.create` is given for each task."""
        from quire_quantum_gateway.providers.braket_sets import program_of  # noqa: PLC0415 - imports the SDK

        rows = np.concatenate([member.parameters for member in work.members])
        shots, prefix = work.shots or 0, self._settings.prefix
        for index, part in enumerate(planned.parts, 1):
            yield {
                "program": program_of(planned.programs, rows, part, shots if planned.as_sets else None),
                "shots": shots * len(part),
                "folder": aws_tasks.folder_of(prefix, token, index),
                "tags": aws_tasks.tags_of(prefix, token, index, len(planned.parts)),
            }

    def _task(self, arn: str) -> Mapping[str, Any]:
        """A task; one that is over is not asked for again."""
        if arn in self._ended:
            return self._ended[arn]
        task = self._service.task(arn)
        if task["status"] in ("COMPLETED", "FAILED", "CANCELLED"):
            self._ended[arn] = task
            while len(self._ended) > _ENDED_KEPT:
                self._ended.popitem(last=False)
        return task

    def _task_status(self, arn: str) -> JobStatus:
        try:
            task = self._task(arn)
        except LookupError:
            return "unknown"
        return aws_tasks.STATUS.get(task["status"], "unknown")

    def _why(self, tasks: Sequence[Mapping[str, Any]]) -> Exception:
        failed = next((task for task in tasks if task["status"] == "FAILED"), None)
        if failed is None:
            return faults.error_of(meanings()["cancelled-at-provider"].fault)
        return raised_for(classify_outcome(self._service.faults, str(failed.get("failureReason", ""))))

    def _fetch(self, task: Mapping[str, Any]) -> Sequence[Measured]:
        read = partial(self._service.read, task["quantumTaskArn"])
        try:
            return read_result(read, task["outputS3Bucket"], task["outputS3Directory"])
        except (QuireError, Ambiguous) as error:
            raise Unfetched("the task's result cannot be fetched now", classified_of(error)) from error


def _partly(error: Transient) -> Ambiguous:
    """The provider has a part of the batch, and only a repeated call says the rest."""
    found = classified_of(error) or Classified("ambiguous", meanings()["answer-lost"].fault)
    return Ambiguous(replace(found, error_class="ambiguous", fault=meanings()["answer-lost"].fault, applied="maybe"))
