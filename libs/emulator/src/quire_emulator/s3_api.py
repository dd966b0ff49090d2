"""The corner of S3 that Braket's results need: objects by path, below `/s3/<bucket>/<key>`."""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, Final

from quire_emulator.door import Door, Facts
from quire_emulator.http import Answer
from quire_emulator.refusals import Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from quire_emulator.cloud import Cloud
    from quire_emulator.http import Request
    from quire_resilience.clock import Clock

RESULTS: Final = "results.json"


class S3Api:
    """The calls below `/s3`: a bucket is there as soon as it is named; results are read, nothing is kept."""

    def __init__(self, cloud: Cloud, clock: Clock, results: Path) -> None:
        self._cloud = cloud
        self._results = results
        self._door = Door(cloud, clock, "braket", refused)

    async def answer(self, request: Request) -> Answer:
        """Answer one call; raises `Silence` as the door does."""
        match request.method, request.path:
            case (("PUT" | "HEAD"), (_,) | (_, "")):
                return Answer(200)
            case (("GET" | "HEAD"), (bucket, *key)):
                return await self._object(request, bucket, "/".join(key))
            case _:
                return refused(Refusal("fault", "not supported here", status=501, code="NotImplemented"))

    async def _object(self, request: Request, bucket: str, key: str) -> Answer:
        prefix, _, name = key.rpartition("/")
        directory, _, job_id = prefix.rpartition("/")
        job = self._cloud.job(job_id, "braket")

        def act(facts: Facts, now: float) -> Answer:
            if job is None or (job.order.bucket, job.order.prefix, name) != (bucket, directory, RESULTS):
                raise Refusal("missing", "The specified key does not exist.")
            facts.job = job.id
            if job.status != "COMPLETED" or now < job.made.withheld:
                raise Refusal("missing", "The specified key does not exist.")
            body = (self._results / f"{job.id}.json").read_bytes()
            etag = f'"{md5(body, usedforsecurity=False).hexdigest()}"'
            headers = {
                "content-type": "application/json",
                "etag": etag,
                "last-modified": "Thu, 01 Jan 1970 00:00:00 GMT",
            }
            return Answer(200, body if request.method == "GET" else b"", headers)

        return await self._door.call(request, "result", job.order.device if job else "", act)


def refused(refusal: Refusal) -> Answer:
    """A refusal in S3's words."""
    status, code = {"missing": (404, "NoSuchKey"), "throttled": (503, "SlowDown")}.get(refusal.why, (0, ""))
    status, code = status or refusal.status, code or refusal.code or "InternalError"
    error = f"<Error><Code>{code}</Code><Message>{refusal.message}</Message></Error>"
    return Answer(
        status, f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'.encode(), {"content-type": "application/xml"}
    )
