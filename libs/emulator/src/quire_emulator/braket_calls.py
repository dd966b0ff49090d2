"""What Braket's calls carry, what it refuses at once, and its errors in its own words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from quire_emulator.braket_results import PROGRAM, PROGRAM_SET, Action
from quire_emulator.door import digest
from quire_emulator.entries import Order
from quire_emulator.http import Answer
from quire_emulator.refusals import Refusal

if TYPE_CHECKING:
    from quire_emulator.http import Request
    from quire_emulator.jobs import Job

MOST_EXECUTABLES: Final = 100

_ERRORS: Final = {
    "offline": (424, "DeviceOfflineException"),
    "retired": (410, "DeviceRetiredException"),
    "throttled": (429, "ThrottlingException"),
    "shots": (400, "ValidationException"),
    "quota": (402, "ServiceQuotaExceededException"),
    "spending": (400, "ValidationException"),
    "token": (400, "ValidationException"),
    "invalid": (400, "ValidationException"),
    "programs": (400, "ValidationException"),
    "missing": (404, "ResourceNotFoundException"),
    "over": (409, "ConflictException"),
}
_FAULTS: Final = {500: "InternalServiceException", 503: "ServiceUnavailable", 403: "AccessDeniedException"}
OPERATORS: Final[dict[str, Callable[[Any, list[Any]], bool]]] = {
    "LT": lambda value, bounds: value < bounds[0],
    "LTE": lambda value, bounds: value <= bounds[0],
    "EQUAL": lambda value, bounds: value in bounds,
    "GT": lambda value, bounds: value > bounds[0],
    "GTE": lambda value, bounds: value >= bounds[0],
    "BETWEEN": lambda value, bounds: bounds[0] <= value <= bounds[1],
}


class Create(msgspec.Struct, rename="camel"):
    """The body of CreateQuantumTask; `action` and `device_parameters` are JSON in a string."""

    client_token: str
    device_arn: str
    shots: int
    output_s3_bucket: str = msgspec.field(name="outputS3Bucket")
    output_s3_key_prefix: str = msgspec.field(name="outputS3KeyPrefix")
    action: str
    device_parameters: str = "{}"
    tags: dict[str, str] = {}


class Filter(msgspec.Struct):
    """One condition of a search."""

    name: str
    values: list[str]
    operator: str = "EQUAL"


class Search(msgspec.Struct, rename="camel"):
    """The body of the searches."""

    filters: list[Filter] = []
    max_results: int = 100
    next_token: str = ""


def refused(refusal: Refusal) -> Answer:
    """A refusal in Braket's words."""
    status, code = _ERRORS.get(refusal.why, (0, ""))
    status = status or refusal.status
    code = code or refusal.code or _FAULTS.get(status, "ServiceFailure")
    body: dict[str, Any] = {"message": refusal.message}
    if refusal.programs:
        body |= {
            "reason": "ProgramSetValidationFailed",
            "programSetValidationFailures": [
                {"programIndex": index, "errors": [message]} for index, message in refusal.programs
            ],
        }
    more = {"retry_after": f"{refusal.retry_after:g}"} if refusal.retry_after else {}
    return Answer.json(body, status=status, x_amzn_errortype=code, **more)


def order_of(body: Create, request: Request) -> Order:
    """The order of a create; its token stands for all but itself."""
    tags = (f"{name}={value}" for name, value in sorted(body.tags.items()))
    place = (body.output_s3_bucket, body.output_s3_key_prefix)
    return Order(
        api="braket",
        device=body.device_arn,
        shots=body.shots,
        body=body.action,
        token=body.client_token,
        tags=body.tags,
        bucket=body.output_s3_bucket,
        prefix=body.output_s3_key_prefix,
        caller=request.caller,
        parameters=body.device_parameters,
        region=request.region or "us-east-1",
        request=digest(body.device_arn, str(body.shots), body.action, *place, body.device_parameters, *tags),
    )


def conditions(filters: list[Filter], arn: Callable[[Job], str]) -> tuple[list[Callable[[Job], bool]], float]:
    """What a task must meet to be found, and a time before which none can.

    Raises:
        Refusal: SearchQuantumTasks does not know such a condition.
    """
    facts: dict[str, Callable[[Job], Any]] = {
        "createdAt": lambda job: round(job.made.at, 3),
        "deviceArn": lambda job: job.order.device,
        "jobArn": lambda _: "",
        "quantumTaskArn": arn,
        "status": lambda job: job.status,
    }
    found: list[Callable[[Job], bool]] = []
    since = 0.0
    for each in filters:
        if each.name not in facts:
            raise Refusal("invalid", f"Invalid filter name: {each.name}")
        if each.operator not in OPERATORS or not each.values:
            raise Refusal("invalid", f"Invalid filter on {each.name}: {each.operator} {each.values}")
        bounds: list[Any] = [seconds(value) for value in each.values] if each.name == "createdAt" else each.values
        if each.name == "createdAt" and each.operator in {"GT", "GTE", "BETWEEN"}:
            since = max(since, bounds[0] - 0.001)  # times are shown in whole milliseconds
        found.append(partial(_meets, facts[each.name], OPERATORS[each.operator], bounds))
    return found, since


def _meets(fact: Callable[[Job], Any], operator: Callable[[Any, list[Any]], bool], bounds: list[Any], job: Job) -> bool:
    return operator(fact(job), bounds)


def validate(body: Create) -> None:
    """Raise `Refusal` for what Braket refuses at once."""
    if not 1 <= len(body.client_token) <= 64:  # noqa: PLR2004 - the model's own bounds
        raise Refusal("invalid", "Value at 'clientToken' must have length from 1 to 64")
    action = msgspec.json.decode(body.action, type=Action)
    kind = action.braket_schema_header.name
    if kind == PROGRAM:
        if not action.source.strip():
            raise Refusal("invalid", "The source of the program is empty")
        return
    if kind != PROGRAM_SET:
        raise Refusal("invalid", f"The device does not support the action {kind}")
    wrong = []
    for index, program in enumerate(action.programs):
        try:
            program.runs()
        except ValueError as error:
            wrong.append((index, str(error)))
        if not program.source.strip():
            wrong.append((index, "The source of the program is empty"))
    if wrong or not action.programs:
        raise Refusal("programs", "The program set is not valid", programs=tuple(wrong))
    if action.runs > MOST_EXECUTABLES or body.shots % action.runs:
        raise Refusal("invalid", f"At most {MOST_EXECUTABLES} executables, and shots a multiple of their number")


def seconds(text: str) -> float:
    """A time of a filter: ISO 8601 or seconds since 1970. Raises `Refusal`."""
    try:
        return float(text)
    except ValueError:
        try:
            return datetime.fromisoformat(text).timestamp()
        except ValueError:
            raise Refusal("invalid", f"Not a time: {text}") from None
