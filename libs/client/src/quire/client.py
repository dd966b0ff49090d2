"""The Python client: submit documents, find jobs again, wait, watch and cancel, over HTTP."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Final, Self, cast

import msgspec

from quire import DEFAULT_URL
from quire.answer import JobView
from quire.counts import counts_of
from quire.errors import CannotConnectError, NotFoundError, StillRunningError
from quire.events import Event, parse_events
from quire.operating import Operations
from quire.parked_work import ParkedWork
from quire.transport import Transport, decoded
from quire_contracts.query import JobList, JobSummary
from quire_contracts.result import JobResult, SampleResult
from quire_contracts.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from os import PathLike

    import httpx

PATIENCE_SECONDS: Final = 30.0
"""How long a wait outlives a broken connection: services restart, jobs go on."""

_LONGEST_POLL: Final = 20.0
_PAUSE: Final = 0.25


class _Submitted(Value, frozen=True):
    job_id: str
    tenant: str = "default"


class Client(Operations, ParkedWork):
    """A Quire at an address. Safe to share between threads; close it, or use it as a context manager.

    url: `http://host:port` of the API.
    tenant: whose jobs this client speaks of.
    patience: seconds for which waiting and watching outlive a broken connection.
    transport: replaces the network in tests.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        tenant: str = "default",
        patience: float = PATIENCE_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.transport = Transport(url, transport=transport)
        self.tenant = tenant
        self.patience = patience

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. Jobs do not notice."""
        self.transport.close()

    def submit(
        self, document: Mapping[str, Any] | msgspec.Struct | bytes | str | PathLike[str], *, idempotency_key: str = ""
    ) -> Job:
        """Submit a job and return a handle to it, without waiting for anything to run.

        document: an object, a `quire_contracts.document` value, JSON bytes, or the path of a JSON or YAML file.
        idempotency_key: the same key and content give the same job again; by default a new job each time. A key in the
            document counts instead. A broken connection is tried again under the same key, so it makes no second job.

        Raises:
            InvalidDocumentError: with every problem found.
            ConflictError: if the key already names a job with other content.
            CannotConnectError: if nothing answers.
        """
        from quire.documents import as_json

        headers = {"content-type": "application/json", "idempotency-key": idempotency_key or str(uuid.uuid4())}
        body = as_json(document)
        # The document's own key and tenant count before the header's and the client's.
        named = _named(body)
        if named and self.tenant != "default" and "tenant" not in named:
            body = msgspec.json.encode({**named, "tenant": self.tenant})
        if named.get("idempotency_key"):
            del headers["idempotency-key"]
        answer = self.surely(lambda: self.transport.call("POST", "/v1/jobs", content=body, headers=headers))
        made: _Submitted = decoded(answer, _Submitted)
        return Job(self, made.job_id, made.tenant, fresh=True)

    def job(self, job_id: str, *, tenant: str | None = None) -> Job:
        """A handle to a job that was submitted before, here or elsewhere. Asks nothing yet."""
        return Job(self, job_id, tenant or self.tenant)

    def jobs(self, *, limit: int = 50, needs_review: bool = False) -> tuple[JobSummary, ...]:
        """The tenant's newest jobs first; with `needs_review` those alone that a person is to look at.

        Raises:
            CannotConnectError: if nothing answers.
        """
        params = {"tenant": self.tenant, "limit": str(limit)} | ({"needs_review": "true"} if needs_review else {})
        found: JobList = decoded(self.transport.call("GET", "/v1/jobs", params=params), JobList)
        return found.jobs

    def surely(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        """Ask again, for as long as patience lasts, where a Quire was reached and the answer was lost or put off."""
        start, reached = time.monotonic(), False
        while True:
            try:
                return ask()
            except CannotConnectError as error:
                reached = reached or error.reached
                if not reached or time.monotonic() - start >= self.patience:
                    raise
                time.sleep(_PAUSE)


class Job:
    """A handle to one job: its id and how to ask about it. Letting go of it changes nothing for the job."""

    def __init__(self, client: Client, job_id: str, tenant: str, *, fresh: bool = False) -> None:
        self.id = job_id
        self.tenant = tenant
        self._client = client
        self._known = fresh
        self._unknown_until = time.monotonic() + 10.0 if fresh else 0.0

    def __repr__(self) -> str:
        return f"Job({self.id!r}, tenant={self.tenant!r})"

    def status(self, *, wait: float = 0.0) -> JobView:
        """The job now, or as soon as it is over, at the latest after `wait` seconds (at most 30).

        Once this handle has reached a Quire, a broken connection is outlived for the client's patience.

        Raises:
            NotFoundError: if this tenant has no such job.
            CannotConnectError: if nothing answers.
        """
        params = {"tenant": self.tenant, "counts": "packed"} | ({"wait": f"{wait:.3f}"} if wait > 0 else {})
        since = time.monotonic() + wait
        while True:
            try:
                answer = self._client.transport.call("GET", f"/v1/jobs/{self.id}", params=params, seconds=wait + 10.0)
            except CannotConnectError as error:
                self._bear(error, since)
            except NotFoundError:
                # A job is acknowledged before its record is written.
                if time.monotonic() >= self._unknown_until:
                    raise
                time.sleep(_PAUSE)
            else:
                view: JobView = decoded(answer, JobView)
                self._known = True
                return self._whole(view)

    def wait(self, timeout: float | None = None) -> JobView:
        """The job once it is over, however it ended.

        timeout: seconds; None waits for ever.

        Raises:
            StillRunningError: when the time is over; the job goes on.
            NotFoundError, CannotConnectError: as `status`.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _LONGEST_POLL if end is None else min(_LONGEST_POLL, max(0.0, end - time.monotonic()))
            view = self.status(wait=left)
            if view.is_over:
                return view
            if end is not None and time.monotonic() >= end:
                raise StillRunningError(self.id, view.state, timeout or 0.0)
            time.sleep(min(_PAUSE, left))  # an API that closes down answers at once

    def wait_for_answer(self, seconds: float = 0.0) -> JobView:
        """The job with the best answer so far: as soon as it is over, at the latest after `seconds`; it goes on.

        `best_answer` of the view is `final`, `provisional` (a loop under way has its classical answer, or a better
        sample), or `none` yet.

        Raises:
            NotFoundError, CannotConnectError: as `status`.
        """
        try:
            return self.wait(seconds)
        except StillRunningError:
            return self.status()

    def result(self, timeout: float | None = None) -> JobView:
        """The job's answer, waited for.

        Raises:
            JobFailedError, JobCancelledError, JobRejectedError: if the job ended without one.
            StillRunningError: when `timeout` seconds are over; the job goes on.
            NotFoundError, CannotConnectError: as `status`.
        """
        return self.wait(timeout).answered()

    def events(self, *, after: str = "") -> Iterator[Event]:
        """The job's life, from its beginning or from after an event's id, to the event that ends it; waits in between.

        A broken connection is taken up again after the last event seen, for as long as the client's patience: stored
        events come in order and once, live remarks may be missed.

        Raises:
            NotFoundError, CannotConnectError: as `status`.
        """
        last, since = after, time.monotonic()
        while True:
            headers = {"last-event-id": last} if last else {}
            try:
                path, params = f"/v1/jobs/{self.id}/events", {"tenant": self.tenant}
                with self._client.transport.lines(path, params=params, headers=headers) as lines:
                    if lines is None:
                        return
                    for event in parse_events(lines):
                        self._known, since, last = True, time.monotonic(), event.id or last
                        yield event
                        if event.is_last:
                            return
            except CannotConnectError as error:
                self._bear(error, since)
            except NotFoundError:
                if time.monotonic() >= self._unknown_until:
                    raise
                time.sleep(_PAUSE)
            else:
                time.sleep(_PAUSE)

    def _whole(self, view: JobView) -> JobView:
        """The view with its answer, fetched apart where it was too large to stand in it."""
        if not view.links.result:
            return view
        result: JobResult
        match view.result:
            case None:
                result = decoded(self._client.transport.call("GET", view.links.result), JobResult)
            case SampleResult(counts=None, table=table) if table is not None:
                packed = table.data.inline
                if packed is None:
                    accept = {"accept": f"{table.data.media_type}, application/json"}
                    packed = self._client.transport.call("GET", view.links.result, headers=accept).content
                result = SampleResult(counts=cast("Any", counts_of(table, packed)))
            case _:
                return view
        return msgspec.structs.replace(view, result=result)

    def _bear(self, error: CannotConnectError, since: float) -> None:
        """Pause before another try, or raise: at once if this handle never reached a Quire, else after patience."""
        if not self._known or time.monotonic() - since > self._client.patience:
            raise error
        time.sleep(_PAUSE)

    def replay(self, target: str | None = None) -> Job:
        """Run the same again as a new job: the same document and seed, where this one ran or at `target` alone.

        Nothing of it is answered from memory. A broken connection is tried again and makes no second job.

        Raises:
            ConflictError: if the job was rejected, so that there is nothing to run.
            NotFoundError, CannotConnectError: as `status`.
        """
        params = {"tenant": self.tenant} | ({"target": target} if target is not None else {})
        headers, path = {"idempotency-key": str(uuid.uuid4())}, f"/v1/jobs/{self.id}/replay"
        answer = self._client.surely(lambda: self._client.transport.call("POST", path, params=params, headers=headers))
        made: _Submitted = decoded(answer, _Submitted)
        return Job(self._client, made.job_id, made.tenant, fresh=True)

    def cancel(self, reason: str = "") -> None:
        """Ask for the job to stop; what already ran stays recorded. Asking again changes nothing.

        Raises:
            ConflictError: if it ended already in another way.
            NotFoundError, CannotConnectError: as `status`.
        """
        params = {"tenant": self.tenant} | ({"reason": reason} if reason else {})
        self._client.transport.call("DELETE", f"/v1/jobs/{self.id}", params=params)


def _named(body: bytes) -> dict[str, Any]:
    """The document's top-level fields, or nothing where it is no object: the API says what is wrong with it."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
