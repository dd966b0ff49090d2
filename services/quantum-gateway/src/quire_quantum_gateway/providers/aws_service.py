"""Calls of Amazon Braket: each made once, in bounded time, through the SDK's device and session, errors as ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.aws_device import Device, read_device
from quire_quantum_gateway.providers.bounded import Bounded
from quire_quantum_gateway.providers.error_table import meanings
from quire_quantum_gateway.providers.faults import load, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from braket.aws import AwsDevice

    from quire_quantum_gateway.providers.aws_session import TokenSession
    from quire_quantum_gateway.providers.error_table import Operation
    from quire_resilience.clock import Clock

T = TypeVar("T")

_PAGES: Final = 100


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """Which devices there are, where, and what they may cost.

    devices: ARN by backend name, as in `aws:<name>`.
    region: of devices whose ARN names none (Amazon's simulators).
    endpoint_url, s3_endpoint_url: None stands for Amazon's own.
    bucket: where results are written; empty for the SDK's usual name, which needs the account's number.
    prefix: names this installation in tags and folders; those that share an account need different ones.
    seconds: the longest that a call may take. calls: how many may be under way at once.
    tasks: the most tasks that one batch may become.
    task_usd: what a quantum computer's task costs besides its shots.
    watch_spending: whether spending limits are looked up before a task is created.
    """

    devices: Mapping[str, str] = field(default_factory=dict)
    region: str = "us-east-1"
    endpoint_url: str | None = None
    s3_endpoint_url: str | None = None
    bucket: str = ""
    account: str = ""
    prefix: str = "quire"
    seconds: float = 30.0
    calls: int = 64
    tasks: int = 16
    task_usd: float = 0.3
    watch_spending: bool = True


class AwsService:
    """Braket, for one account. Thread-safe; its SDK is imported on first use."""

    faults = load("aws")

    def __init__(self, settings: AwsSettings, clock: Clock) -> None:
        """Nothing is opened before it is asked for."""
        self.settings = settings
        self._bounded = Bounded(clock, settings.seconds, settings.calls)
        self._opening = Lock()
        self._sessions: dict[str, TokenSession] = {}
        self._devices: dict[str, AwsDevice] = {}

    def region_of(self, arn: str) -> str:
        """The region that an ARN of a device or a task names."""
        return arn.split(":")[3] or self.settings.region

    def describe(self, arn: str) -> Device:
        """A device, as the service describes it now."""
        session = self._session(arn)

        def call() -> None:
            if arn in self._devices:
                self._devices[arn].refresh_metadata()
            else:
                self._devices[arn] = _open(arn, session)

        self._call("describe", call)
        with translated(self.faults, "describe"):
            return read_device(session.descriptions[arn])

    def create(self, arn: str, program: Any, *, shots: int, folder: str, tags: Mapping[str, str], until: float) -> str:
        """Create a task under the token that its tags name; its ARN. The device has been described before.

        Args:
            arn: the device.
            program: what `AwsDevice.run` takes.
            shots: of all executables together.
            folder: where in the bucket its result is written.
            tags: with a token and a part of ours.
            until: on the clock's `monotonic`.
        """
        device, bucket = self._devices[arn], self._bucket(arn)

        def call() -> str:
            return str(device.run(program, (bucket, folder), shots, tags=dict(tags)).id)

        return self._call("create", call, until)

    def task(self, arn: str) -> dict[str, Any]:
        """A task, as it is now.

        Raises:
            LookupError: the service knows no such task.
        """
        session = self._session(arn)

        def call() -> dict[str, Any] | None:
            try:
                return session.get_quantum_task(arn)
            except session.braket_client.exceptions.ResourceNotFoundException:
                return None

        found = self._call("status", call)
        if found is None:
            raise LookupError(f"the service knows no task {arn}")
        return found

    def cancel(self, arn: str) -> None:
        """Ask for a task to be cancelled; one that is over, or unknown, stays as it is."""
        session = self._session(arn)

        def call() -> None:
            benign = session.braket_client.exceptions
            try:
                session.cancel_quantum_task(arn)
            except (benign.ConflictException, benign.ResourceNotFoundException):
                return

        self._call("cancel", call)

    def tasks_since(self, device_arn: str, since: datetime) -> Iterator[dict[str, Any]]:
        """The device's tasks that were created since then, as SearchQuantumTasks lists them."""
        session = self._session(device_arn)
        filters = [
            {"name": "deviceArn", "values": [device_arn], "operator": "EQUAL"},
            {"name": "createdAt", "values": [since.isoformat()], "operator": "GTE"},
        ]
        following: str | None = None
        for _ in range(_PAGES):
            page = self._call("find", lambda at=following: session.search_quantum_tasks(filters, at))  # type: ignore[misc]
            yield from page["quantumTasks"]
            following = page.get("nextToken")
            if not following:
                return
        raise LookupError(f"more than {_PAGES} pages of tasks since {since}")

    def spending_limits(self, device_arn: str) -> Sequence[Mapping[str, Any]]:
        """The device's spending limits, as SearchSpendingLimits lists them."""
        session = self._session(device_arn)
        return self._call("describe", lambda: session.search_spending_limits(device_arn))

    def read(self, task_arn: str, bucket: str, key: str) -> str:
        """An object's text, of a task's result."""
        session = self._session(task_arn)
        return self._call("fetch", lambda: session.retrieve_s3_object_body(bucket, key))

    def _call(self, operation: Operation, call: Callable[[], T], until: float = math.inf) -> T:
        with translated(self.faults, operation):
            return self._bounded.call(call, until)

    def _session(self, arn: str) -> TokenSession:
        region = self.region_of(arn)
        with self._opening, translated(self.faults, "describe"):
            if region not in self._sessions:
                # 2 s for the SDK, and a client may only be made by one thread at a time
                from quire_quantum_gateway.providers.aws_session import Endpoints, TokenSession  # noqa: PLC0415

                endpoints = Endpoints(
                    braket=self.settings.endpoint_url,
                    s3=self.settings.s3_endpoint_url,
                    bucket=self._bucket(arn),
                    prefix=self.settings.prefix,
                    seconds=self.settings.seconds,
                )
                self._sessions[region] = TokenSession(region, endpoints)
            return self._sessions[region]

    def _bucket(self, arn: str) -> str:
        if self.settings.bucket:
            return self.settings.bucket
        if not self.settings.account:
            raise faults.error_of(meanings()["provider-misconfigured"].fault)
        return f"amazon-braket-{self.region_of(arn)}-{self.settings.account}"


def _open(arn: str, session: TokenSession) -> AwsDevice:
    from braket.aws import AwsDevice  # noqa: PLC0415 - imports the SDK

    try:
        device = AwsDevice(arn, session)
    except ValueError as error:
        raise error.__cause__ or error from None  # what the service said, which the SDK puts in words of its own
    if device.aws_session is not session:
        # The SDK found it in another region and made a session of its own, whose tasks would bear random tokens.
        raise faults.error_of(meanings()["provider-misconfigured"].fault)
    return device
