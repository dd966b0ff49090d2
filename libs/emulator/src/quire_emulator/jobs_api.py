"""A jobs API as Qiskit Runtime's service has it: tags find a job again where they are kept, and nothing where not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from quire_emulator.door import Door, Facts, Operation, digest
from quire_emulator.entries import Order
from quire_emulator.http import Answer
from quire_emulator.jobs_results import PROGRAMS
from quire_emulator.machines import configuration, properties
from quire_emulator.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from quire_emulator.cloud import Cloud
    from quire_emulator.configuration import Device
    from quire_emulator.http import Request
    from quire_emulator.jobs import Job
    from quire_resilience.clock import Clock

_STATUS: Final = {
    "QUEUED": "Queued", "RUNNING": "Running", "COMPLETED": "Completed", "FAILED": "Failed", "CANCELLED": "Cancelled",
}  # fmt: skip
_ERRORS: Final = {
    "offline": (503, 1004),
    "retired": (404, 1291),
    "throttled": (429, 1202),
    "shots": (400, 6000),
    "quota": (400, 3458),
    "spending": (403, 4317),
    "token": (409, 1208),
    "invalid": (400, 1208),
    "missing": (404, 1291),
    "over": (409, 1293),
}
"""HTTP status and IBM's error code."""


class Create(msgspec.Struct):
    """The body of a new job; what is not named here is not looked at."""

    program_id: str
    backend: str
    params: msgspec.Raw
    tags: list[str] = []


class JobsApi:
    """The calls below `/ibm/v1` and `/anonymous/v1`.

    tagged: whether tags are kept.
    """

    def __init__(
        self, cloud: Cloud, clock: Clock, results: Path, api: Literal["ibm", "anonymous"], *, tagged: bool
    ) -> None:
        self._cloud = cloud
        self._results = results
        self._api = api
        self._tagged = tagged
        self._door = Door(cloud, clock, api, refused)

    async def answer(self, request: Request) -> Answer:  # noqa: PLR0911 - the table of calls
        """Answer one call; raises `Silence` as the door does."""
        try:
            match request.method, request.path:
                case "POST", ("jobs",):
                    return await self._create(request)
                case "GET", ("jobs",):
                    device = request.first("backend")
                    return await self._door.call(request, "search", device, lambda _, now: self._search(request, now))
                case "GET", ("jobs", job_id):
                    return await self._of_job(request, "get", job_id, lambda job, _: Answer.json(self._described(job)))
                case "GET", ("jobs", job_id, "results"):
                    return await self._of_job(request, "result", job_id, self._result)
                case "GET", ("jobs", job_id, "metrics"):
                    return await self._of_job(request, "get", job_id, lambda job, _: Answer.json(_metrics(job)))
                case "POST", ("jobs", job_id, "cancel"):
                    return await self._of_job(request, "cancel", job_id, self._cancelled)
                case "GET", ("instances", "usage"):
                    return await self._door.call(request, "limits", "", lambda _, now: self._usage(now))
                case "GET", ("backends",):
                    return await self._door.call(request, "devices", "", lambda _, now: self._backends(now))
                case "GET", ("backends", name, "status" | "configuration" | "properties" as what):
                    return await self._door.call(
                        request, "device", name, lambda _, now: self._backend(self._device(name), what, now)
                    )
                case _:
                    return refused(Refusal("fault", "no such operation", status=404, code="1290"))
        except (msgspec.DecodeError, ValueError) as error:
            return refused(Refusal("invalid", str(error)))

    def _device(self, name: str) -> Device:
        device = self._cloud.devices.get(name)
        if device is None or device.api != "jobs":
            raise Refusal("missing", f"Backend not found: {name}")
        return device

    async def _create(self, request: Request) -> Answer:
        body = msgspec.json.decode(request.body, type=Create)

        def prepared() -> Order:
            self._device(body.backend)
            if body.program_id not in PROGRAMS:
                raise Refusal("invalid", f"Only these programs are run here: {', '.join(PROGRAMS)}")
            try:
                params = msgspec.json.decode(body.params, type=PROGRAMS[body.program_id])
            except msgspec.DecodeError as error:
                raise Refusal("invalid", str(error)) from error
            if not params.total_shots:
                raise Refusal("invalid", "There is nothing to run")
            text = bytes(body.params).decode()
            return Order(
                api=self._api,
                device=body.backend,
                shots=params.total_shots,
                body=text,
                parameters=body.program_id,
                caller=request.caller,
                tags=dict.fromkeys(body.tags if self._tagged else [], ""),
                request=digest(body.backend, text),
            )

        return await self._door.create(
            request, body.backend, prepared, lambda job: Answer.json({"id": job.id, "backend": job.order.device})
        )

    async def _of_job(
        self, request: Request, operation: Operation, job_id: str, work: Callable[[Job, float], Answer]
    ) -> Answer:
        job = self._cloud.job(job_id, self._api)

        def act(facts: Facts, now: float) -> Answer:
            if job is None:
                raise Refusal("missing", f"Job not found. Job ID: {job_id}")
            facts.job = job.id
            return work(job, now)

        return await self._door.call(request, operation, job.order.device if job else "", act)

    def _search(self, request: Request, now: float) -> Answer:
        wanted = request.query.get("tags", []) if self._tagged else []
        after, before = (_seconds(request.first(name)) for name in ("created_after", "created_before"))
        pending, backend = request.first("pending"), request.first("backend")
        shown = [
            job for job in self._cloud.found(self._api, now, since=after, tag=wanted[0] if wanted else "")
            if all(tag in job.order.tags for tag in wanted)
            and (not before or job.made.at <= before)
            and (not pending or job.over == (pending == "false"))
            and (not backend or job.order.device == backend)
        ]  # fmt: skip
        shown = shown[::-1] if request.first("sort") == "ASC" else shown
        start, limit = int(request.first("offset", "0")), min(int(request.first("limit", "200")), 200)
        page = [self._described(job) for job in shown[start : start + limit]]
        return Answer.json({"jobs": page, "count": len(shown), "limit": limit, "offset": start})

    def _described(self, job: Job) -> dict[str, Any]:
        status = _STATUS[job.status]
        state = {"status": status} | ({"reason": job.reason, "reason_code": 9999} if job.status == "FAILED" else {})
        return {
            "id": job.id,
            "backend": job.order.device,
            "status": status,
            "state": state,
            "created": _moment(job.made.at),
            "ended": _moment(job.ended) if job.ended else None,
            "program": {"id": job.order.parameters},
            "params": {"version": 2} if job.order.parameters == "sampler" else {},
            "tags": list(job.order.tags),
            "usage": {"quantum_seconds": 0, "seconds": 0},
            "private": False,
            "session_id": None,
        }

    def _result(self, job: Job, now: float) -> Answer:
        if job.status == "FAILED":
            raise Refusal("fault", job.reason, status=400, code="9999")
        if job.status == "CANCELLED":
            raise Refusal("fault", "Job was cancelled", status=400, code="5202")
        if job.status != "COMPLETED" or now < job.made.withheld:
            return Answer(204)
        return Answer(200, (self._results / f"{job.id}.json").read_bytes(), {"content-type": "application/json"})

    def _cancelled(self, job: Job, now: float) -> Answer:
        if not self._cloud.cancel(job, now):
            raise Refusal("over", f"Job is in its final state {_STATUS[job.status]}")
        return Answer(204)

    def _usage(self, now: float) -> Answer:
        """Nothing is limited by time here; what a device may cost is said by `spending_limits`."""
        founded = self._cloud.register.founded or now
        used = sum(job.over for job in self._cloud.jobs() if job.order.api == self._api)
        period = {"start_time": _moment(founded), "end_time": _moment(founded + 28 * 86400)}
        known = {"usage_consumed_seconds": used, "usage_limit_reached": False, "usage_remaining_seconds": 86400}
        return Answer.json({"instance_id": "emulated", "plan_id": "emulated", "usage_period": period} | known)

    def _backends(self, now: float) -> Answer:
        rows = []
        for device in self._cloud.devices.values():
            if device.api != "jobs":
                continue
            away = self._cloud.away(device, now)
            rows.append(
                {
                    "name": device.name,
                    "status": {"name": "offline" if away else "online", "reason": away[0] if away else "available"},
                    "is_simulator": False,
                    "qubits": device.qubits,
                    "queue_length": self._cloud.register.unfinished(device.key),
                }
            )
        return Answer.json({"devices": rows})

    def _backend(self, device: Device, what: str, now: float) -> Answer:
        if what == "status":
            away = self._cloud.away(device, now)
            queue = self._cloud.register.unfinished(device.key)
            return Answer.json(
                {
                    "state": away is None,
                    "status": "active" if away is None else "maintenance" if away[0] == "maintenance" else "offline",
                    "message": away[0] if away else "available",
                    "length_queue": queue,
                    "backend_version": "1.0.0",
                }
            )
        age = now - (self._cloud.register.founded or now)
        if what == "configuration":
            return Answer(200, configuration(device), {"content-type": "application/json"})
        return Answer.json(properties(device, self._cloud.configuration.seed, age, now))


def refused(refusal: Refusal) -> Answer:
    """A refusal in IBM's words."""
    status, code = _ERRORS.get(refusal.why, (0, 0))
    status = status or refusal.status
    code = code or (int(refusal.code) if refusal.code.isdigit() else 9999)
    error = {"code": code, "message": refusal.message, "solution": "", "more_info": ""}
    more = {"retry_after": f"{refusal.retry_after:g}"} if refusal.retry_after else {}
    return Answer.json({"errors": [error], "trace": "emulated", "status_code": status}, status=status, **more)


def _metrics(job: Job) -> dict[str, Any]:
    times = {"created": "QUEUED", "running": "RUNNING", "finished": "COMPLETED"}
    stamps = {name: _moment(job.moved[status]) if status in job.moved else None for name, status in times.items()}
    return {"timestamps": stamps, "usage": {"quantum_seconds": 0, "seconds": 0}, "executions": job.good}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def _seconds(text: str) -> float:
    """A time in seconds since 1970; 0 where none is given."""
    return 0.0 if not text else datetime.fromisoformat(text.replace(" ", "+")).timestamp()
