"""Amazon's clients as the gateway uses them: each call made once, in bounded time, and no task without our token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.config import Config
from braket.aws import AwsSession

from quire_quantum_gateway.providers.aws_tasks import client_token

CONNECT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the services are, and whose they are.

    braket, s3: addresses; None stands for Amazon's own of the region.
    bucket: where results are written.
    prefix: of the names that this installation gives to its tags and folders.
    seconds: how long a socket may stay silent.
    """

    braket: str | None
    s3: str | None
    bucket: str
    prefix: str
    seconds: float


class TokenSession(AwsSession):  # type: ignore[misc]
    """Braket's session for one region; credentials come by Amazon's standard chain.

    The SDK's own gives each task a random token, tries again behind the caller's back, and reads results from wherever
    the process's environment points.
    """

    def __init__(self, region: str, endpoints: Endpoints) -> None:
        """Open the clients; nothing is called."""
        boto_session = boto3.Session(region_name=region)
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=endpoints.seconds,
            retries={"total_max_attempts": 1, "mode": "standard"},
            s3={"addressing_style": "path" if endpoints.s3 else "auto"},
        )
        super().__init__(
            boto_session=boto_session,
            braket_client=boto_session.client("braket", config=config, endpoint_url=endpoints.braket),
            default_bucket=endpoints.bucket,
        )
        self._s3 = boto_session.client("s3", config=config, endpoint_url=endpoints.s3)
        self._prefix = endpoints.prefix
        self.descriptions: dict[str, dict[str, Any]] = {}
        """The newest answer of GetDevice for each ARN: `AwsDevice` keeps a part of it only."""

    def get_device(self, arn: str) -> dict[str, Any]:
        """Describe a device."""
        self.descriptions[arn] = dict(super().get_device(arn))
        return self.descriptions[arn]

    def create_quantum_task(self, **request: Any) -> str:
        """Create a task under the token that its tags name.

        Raises:
            KeyError: it has no tag of ours.
        """
        request["clientToken"] = client_token(request["tags"], self._prefix)
        return str(super().create_quantum_task(**request))

    def get_quantum_task(self, arn: str) -> dict[str, Any]:
        """The task as it is now; the SDK's own asks up to three times."""
        return dict(self.braket_client.get_quantum_task(quantumTaskArn=arn, additionalAttributeNames=["QueueInfo"]))

    def cancel_quantum_task(self, arn: str) -> None:
        """Ask for a task to be cancelled, under a token of its own, the same each time."""
        self.braket_client.cancel_quantum_task(quantumTaskArn=arn, clientToken=f"cancel-{arn.rpartition('/')[2]}"[:64])

    def retrieve_s3_object_body(self, s3_bucket: str, s3_object_key: str) -> str:
        """An object's text; the SDK's own reads it with a client that knows no endpoint."""
        return str(self._s3.get_object(Bucket=s3_bucket, Key=s3_object_key)["Body"].read().decode())

    def search_quantum_tasks(self, filters: list[dict[str, Any]], next_token: str | None = None) -> dict[str, Any]:
        """One page of the tasks that fit the filters."""
        paging = {"nextToken": next_token} if next_token else {}
        return dict(self.braket_client.search_quantum_tasks(filters=filters, maxResults=100, **paging))

    def search_spending_limits(self, device_arn: str) -> list[dict[str, Any]]:
        """The spending limits of a device: never more than a page of them."""
        wanted = [{"name": "deviceArn", "values": [device_arn], "operator": "EQUAL"}]
        return list(self.braket_client.search_spending_limits(filters=wanted, maxResults=100)["spendingLimits"])
