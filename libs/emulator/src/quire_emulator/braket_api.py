"""Braket's API as botocore speaks it: quantum tasks, devices and spending limits, with Braket's errors."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from quire_emulator.braket_calls import (
    Create,
    Search,
    conditions,
    order_of,
    refused,
    validate,
)
from quire_emulator.braket_devices import capabilities
from quire_emulator.braket_results import Action, moment
from quire_emulator.door import Door, Facts
from quire_emulator.entries import Order
from quire_emulator.http import Answer
from quire_emulator.refusals import Refusal

if TYPE_CHECKING:
    from quire_emulator.cloud import Cloud
    from quire_emulator.configuration import Device
    from quire_emulator.http import Request
    from quire_emulator.jobs import Job
    from quire_resilience.clock import Clock


class BraketApi:
    """The calls below `/braket`."""

    def __init__(self, cloud: Cloud, clock: Clock) -> None:
        self._cloud = cloud
        self._door = Door(cloud, clock, "braket", refused)

    async def answer(self, request: Request) -> Answer:  # noqa: PLR0911 - the table of calls
        """Answer one call; raises `Silence` as the door does."""
        try:
            match request.method, request.path:
                case "POST", ("quantum-task",):
                    return await self._create(request)
                case "GET", ("quantum-task", arn):
                    return await self._of_task(request, "get", arn, self._described)
                case "PUT", ("quantum-task", arn, "cancel"):
                    return await self._of_task(request, "cancel", arn, self._cancelled)
                case "POST", ("quantum-tasks",):
                    return await self._search(request)
                case "GET", ("device", arn):
                    return await self._door.call(request, "device", arn, lambda _, now: self._device(arn, now))
                case "POST", ("devices",):
                    return await self._devices(request)
                case "POST", ("spending-limits",):
                    return await self._limits(request)
                case _:
                    return refused(Refusal("fault", "no such operation", status=404, code="UnknownOperationException"))
        except msgspec.DecodeError as error:
            return refused(Refusal("invalid", f"1 validation error detected: {error}"))

    async def _create(self, request: Request) -> Answer:
        body = msgspec.json.decode(request.body, type=Create)

        def prepared() -> Order:
            device = self._cloud.devices.get(body.device_arn)
            if device is None or device.api != "braket":
                raise Refusal("invalid", f"Device not found: {body.device_arn}")
            validate(body)
            return order_of(body, request)

        return await self._door.create(
            request, body.device_arn, prepared, lambda job: Answer.json({"quantumTaskArn": self.arn(job)}, status=201)
        )

    def arn(self, job: Job) -> str:
        """A task's ARN."""
        return f"arn:aws:braket:{job.order.region}:{self._cloud.configuration.account}:quantum-task/{job.id}"

    async def _of_task(self, request: Request, operation: Any, arn: str, work: Any) -> Answer:
        job = self._cloud.job(arn.rpartition("/")[2], "braket")

        def act(facts: Facts, now: float) -> Answer:
            if job is None:
                raise Refusal("missing", f"Task not found: {arn}")
            facts.job = job.id
            answer: Answer = work(job, now, request)
            return answer

        return await self._door.call(request, operation, job.order.device if job else "", act)

    def _described(self, job: Job, _: float, request: Request) -> Answer:
        task = self._summary(job)
        action = msgspec.json.decode(job.order.body, type=Action)
        kind = action.braket_schema_header.name
        task |= {"deviceParameters": job.order.parameters, "actionMetadata": {"actionType": kind}}
        if action.is_set:
            task["actionMetadata"] |= {"programCount": len(action.programs), "executableCount": action.runs}
        if job.status == "FAILED":
            task["failureReason"] = job.reason
        if job.over:
            task["numSuccessfulShots"] = job.good
        if "QueueInfo" in request.query.get("additionalAttributeNames", []):
            waits = job.status == "QUEUED"
            task["queueInfo"] = {
                "queue": "QUANTUM_TASKS_QUEUE",
                "queuePriority": "Normal",
                "position": str(self._cloud.position(job)) if waits else "None",
            } | ({} if waits else {"message": f"Task is in {job.status} status."})
        return Answer.json(task)

    def _summary(self, job: Job) -> dict[str, Any]:
        order = job.order
        found = {
            "quantumTaskArn": self.arn(job),
            "status": job.status,
            "deviceArn": order.device,
            "shots": order.shots,
            "outputS3Bucket": order.bucket,
            "outputS3Directory": f"{order.prefix}/{job.id}",
            "createdAt": moment(job.made.at),
            "tags": order.tags,
        }
        return found | ({"endedAt": moment(job.ended)} if job.ended else {})

    def _cancelled(self, job: Job, now: float, _: Request) -> Answer:
        if not self._cloud.cancel(job, now) and job.status != "CANCELLED":
            raise Refusal("over", f"Cannot cancel task in status {job.status}")
        return Answer.json({"quantumTaskArn": self.arn(job), "cancellationStatus": "CANCELLED"})

    async def _search(self, request: Request) -> Answer:
        search = msgspec.json.decode(request.body, type=Search)

        def act(_: Facts, now: float) -> Answer:
            fits, since = conditions(search.filters, self.arn)
            shown = (job for job in self._cloud.found("braket", now, since=since) if all(each(job) for each in fits))
            start = int(search.next_token or 0)
            page = list(islice(shown, start, start + search.max_results))
            more = {"nextToken": str(start + len(page))} if next(shown, None) else {}
            return Answer.json({"quantumTasks": [self._summary(job) for job in page]} | more)

        device = next((each.values[0] for each in search.filters if each.name == "deviceArn"), "")
        return await self._door.call(request, "search", device, act)

    def _device(self, arn: str, now: float) -> Answer:
        device = self._cloud.devices.get(arn)
        if device is None or device.api != "braket":
            raise Refusal("missing", f"Device not found: {arn}")
        waiting = len(self._cloud.register.queues.get(arn, ()))
        queues = [
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": str(waiting), "queuePriority": "Normal"},
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "0", "queuePriority": "Priority"},
            {"queue": "JOBS_QUEUE", "queueSize": "0"},
        ]
        age = now - (self._cloud.register.founded or now)
        shown = capabilities(device, self._cloud.configuration.seed, age, now)
        return Answer.json(self._device_summary(device, now) | {"deviceCapabilities": shown, "deviceQueueInfo": queues})

    def _device_summary(self, device: Device, now: float) -> dict[str, Any]:
        return {
            "deviceArn": device.arn,
            "deviceName": device.name,
            "providerName": device.provider,
            "deviceType": "SIMULATOR" if device.simulator else "QPU",
            "deviceStatus": "RETIRED" if device.retired else "OFFLINE" if self._cloud.away(device, now) else "ONLINE",
        }

    async def _devices(self, request: Request) -> Answer:
        search = msgspec.json.decode(request.body, type=Search)

        def act(_: Facts, now: float) -> Answer:
            rows = [self._device_summary(each, now) for each in self._cloud.devices.values() if each.api == "braket"]
            rows = [row for row in rows if all(row.get(each.name) in each.values for each in search.filters)]
            return Answer.json({"devices": rows})

        return await self._door.call(request, "devices", "", act)

    async def _limits(self, request: Request) -> Answer:
        search = msgspec.json.decode(request.body or b"{}", type=Search)

        def act(_: Facts, now: float) -> Answer:
            register, account = self._cloud.register, self._cloud.configuration.account
            founded = register.founded or now
            rows = [
                {
                    "spendingLimitArn": f"arn:aws:braket:us-east-1:{account}:spending-limit/{number}",
                    "deviceArn": limit.device,
                    "timePeriod": {"startAt": int(founded), "endAt": int(founded) + 365 * 86400},
                    "spendingLimit": f"{limit.amount:.2f}",
                    "queuedSpend": f"{register.queued_spend.get(limit.device, 0.0):.2f}",
                    "totalSpend": f"{register.spent.get(limit.device, 0.0):.2f}",
                    "createdAt": moment(founded),
                    "updatedAt": moment(now),
                    "tags": {},
                }
                for number, limit in enumerate(self._cloud.configuration.spending_limits)
            ]
            rows = [row for row in rows if all(row.get(each.name) in each.values for each in search.filters)]
            return Answer.json({"spendingLimits": rows})

        return await self._door.call(request, "limits", "", act)
