"""A batch as Braket's tasks: how many, under which tokens and tags, and how they are put together again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from quire_quantum.braket_program import to_braket
from quire_quantum_gateway.providers.port import Found, JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from quire_quantum.braket_program import BraketProgram
    from quire_quantum.executor import Work
    from quire_quantum_gateway.providers.aws_device import Device

TOKEN: Final = "token"  # noqa: S105 - half of a tag's name
PART: Final = "part"

STATUS: Final[dict[str, JobStatus]] = {
    "CREATED": "queued",
    "QUEUED": "queued",
    "RUNNING": "running",
    "CANCELLING": "running",
    "COMPLETED": "done",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}
_TOGETHER: Final[tuple[JobStatus, ...]] = ("unknown", "failed", "cancelled", "running")
"""What a job is if any of its tasks is it, the first that fits."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch cut into tasks.

    programs: what runs for each parameter set.
    parts: for each task its executables, as (program, row of all members' rows); program by program, rows rising.
    as_sets: whether tasks are program sets; else each has one executable.
    """

    programs: tuple[BraketProgram, ...]
    parts: tuple[tuple[tuple[int, int], ...], ...]
    as_sets: bool

    @property
    def executables(self) -> int:
        """Circuits that run, each with its shots."""
        return sum(map(len, self.parts))


def plan(work: Work, device: Device) -> Plan:
    """Cut admitted work into tasks: as few as the device's program sets allow, else one for each executable.

    The same work and device give the same plan; a set that grows or shrinks between two calls with one token is refused
    by the service, whose token then belongs to another request.
    """
    programs = tuple(to_braket(circuit) for circuit in work.circuits())
    wanted = [(program, row) for program in range(len(programs)) for row in range(work.rows)]
    sets, shots = device.sets, work.shots or 0
    at_once = min(sets.executables, sets.most_shots // shots) if sets is not None else 1
    smallest = len(wanted) % max(1, at_once) or at_once
    as_sets = sets is not None and min(at_once, len(wanted)) > 1 and smallest * shots >= sets.fewest_shots
    at_once = at_once if as_sets else 1
    parts = tuple(tuple(wanted[start : start + at_once]) for start in range(0, len(wanted), at_once))
    return Plan(programs, parts, as_sets)


def tags_of(prefix: str, token: str, index: int, parts: int) -> dict[str, str]:
    """The tags of one task of a batch, counted from 1."""
    return {f"{prefix}-{TOKEN}": token, f"{prefix}-{PART}": f"{index}/{parts}"}


def client_token(tags: Mapping[str, str], prefix: str) -> str:
    """The token of a task, from its tags: what the service is told twice cannot differ. At most 64 characters.

    Raises:
        KeyError: it has no tag of ours, and so no identity.
    """
    token, part = tags[f"{prefix}-{TOKEN}"], tags[f"{prefix}-{PART}"]
    index, _, parts = part.partition("/")
    return token if parts == "1" else f"{token}-{index}"


def folder_of(prefix: str, token: str, index: int) -> str:
    """Where in the bucket a task's result is written, findable without the task's name."""
    return f"{prefix}/{token}/{index}"


def join_arns(arns: Sequence[str]) -> str:
    """The job's id: the first task's ARN, and after it the last steps of the others."""
    return ",".join([arns[0], *(arn.rpartition("/")[2] for arn in arns[1:])])


def split_arns(job_id: str) -> tuple[str, ...]:
    """The ARNs of a job's tasks, in order."""
    first, *others = job_id.split(",")
    stem = first.rpartition("/")[0]
    return (first, *(f"{stem}/{each}" for each in others))


def together(statuses: Sequence[JobStatus]) -> JobStatus:
    """How far a job of several tasks is."""
    for each in _TOGETHER:
        if each in statuses:
            return each
    if all(each == "done" for each in statuses):
        return "done"
    return "running" if "done" in statuses else "queued"


def found_jobs(tasks: Iterable[Mapping[str, Any]], prefix: str, backends: Mapping[str, str]) -> list[Found]:
    """Jobs from tasks as SearchQuantumTasks lists them, earliest first; tasks that are not ours are left out.

    Tasks with the same token and part are one too many: the earliest of each part make the first job, the next ones the
    next. backends: names by device ARN.
    """
    ours = [each for each in map(dict, tasks) if f"{prefix}-{TOKEN}" in each.get("tags", {})]
    ours.sort(key=lambda each: (each["tags"][f"{prefix}-{TOKEN}"], each["createdAt"], each["quantumTaskArn"]))
    jobs = []
    for token, group in groupby(ours, key=lambda each: str(each["tags"][f"{prefix}-{TOKEN}"])):
        by_part: dict[str, list[dict[str, Any]]] = {}
        for each in group:
            by_part.setdefault(each["tags"].get(f"{prefix}-{PART}", "1/1"), []).append(each)
        while by_part:
            jobs.append(_job(token, {part: same.pop(0) for part, same in by_part.items()}, backends))
            by_part = {part: same for part, same in by_part.items() if same}
    return sorted(jobs, key=lambda job: job.created_at)


def _job(token: str, by_part: Mapping[str, Mapping[str, Any]], backends: Mapping[str, str]) -> Found:
    parts = sorted(by_part, key=lambda part: int(part.partition("/")[0]))
    tasks = [by_part[part] for part in parts]
    count = int(parts[0].partition("/")[2])
    created: datetime = min(each["createdAt"] for each in tasks).astimezone(UTC)
    return Found(
        job_id=join_arns([each["quantumTaskArn"] for each in tasks]),
        token=token,
        backend=backends.get(tasks[0]["deviceArn"], ""),
        created_at=created,
        status=together([STATUS.get(each["status"], "unknown") for each in tasks]),
        complete=len(tasks) == count,
    )


def left_to_spend(limits: Sequence[Mapping[str, Any]], now: datetime) -> float:
    """US dollars that a device's spending limits leave for new tasks at this moment; infinite without a limit."""
    left = [
        float(limit["spendingLimit"]) - float(limit["totalSpend"]) - float(limit["queuedSpend"])
        for limit in limits
        if limit["timePeriod"]["startAt"] <= now < limit["timePeriod"]["endAt"]
    ]
    return min(left, default=math.inf)
