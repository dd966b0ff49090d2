"""Questions between services and their answers, as request and reply on `quire.query.<service>.<name>`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from quire_contracts.appraisal import Appraisal, AppraiseWork  # noqa: F401 - asked and answered like the questions here
from quire_contracts.document import JobKind
from quire_contracts.record import JobState
from quire_contracts.result import JobResult
from quire_contracts.value import BlobRef, Key, Name, Priority, Sha256, Target, Tenant, Text, Value
from quire_contracts.verdict import Call


class FindJobs(Value, frozen=True):
    """Jobs of a tenant, newest first; `before` (a job's acceptance time) pages on.

    `content_sha256` asks for jobs whose document is exactly the same; `parent` for the children of a job. Else children
    are left out, unless `children` asks for them too. `needs_review` asks for those alone that a person is to look at.
    """

    tenant: Tenant
    state: JobState | None = None
    project: str | None = None
    before: datetime | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    content_sha256: Sha256 | None = None
    parent: Key | None = None
    children: bool = False
    needs_review: bool = False


class JobSummary(Value, frozen=True):
    """A job in a list; a submission that was refused at the edge has no kind."""

    job_id: Key
    tenant: Tenant
    kind: JobKind | None
    name: Name
    project: str
    priority: Priority
    state: JobState
    degraded: bool
    reason: Text
    accepted_at: datetime
    ended_at: datetime | None
    shots: int
    cost_usd: float
    replay_of: Key | None = None
    parent: Key | None = None
    verdict: Call | None = None
    needs_review: Text = ""


class JobList(Value, frozen=True):
    """The answer to `FindJobs`."""

    jobs: tuple[JobSummary, ...]


class FindEvents(Value, frozen=True):
    """The recorded life of one job, in log order, after a stream sequence."""

    tenant: Tenant
    job_id: Key
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 500


class LoggedEvent(Value, frozen=True):
    """One event as the ledger keeps it; `data` is its JSON body."""

    sequence: int
    id: str
    type: str
    source: str
    time: datetime
    causation_id: str | None
    data: str


class EventList(Value, frozen=True):
    """The answer to `FindEvents`."""

    events: tuple[LoggedEvent, ...]


class FindParked(Value, frozen=True):
    """Submissions that wait for an operator."""


class ParkedSubmission(Value, frozen=True):
    """A submission of which nobody can say whether the provider has it; `token` names it there, if anything does."""

    batch_id: Key
    target: Target
    token: Key
    since: datetime
    reserved_usd: float
    jobs: tuple[Key, ...] = ()


class ParkedList(Value, frozen=True):
    """The answer to `FindParked`, earliest first."""

    submissions: tuple[ParkedSubmission, ...]


class SettleSubmission(Value, frozen=True):
    """An operator's word on a parked submission: `provider_job_id` is its job at the provider, or empty: it has none.

    Adopted, its answer is fetched and stated as if it had come at once; abandoned, nothing will come of it any more.
    """

    batch_id: Key
    provider_job_id: Annotated[str, Meta(max_length=2_048)] = ""
    by: Name = ""


class SubmissionSettled(Value, frozen=True):
    """The answer to `SettleSubmission`: what has become of it."""

    batch_id: Key
    state: Literal["adopted", "abandoned"]


class AwaitAnswer(Value, frozen=True):
    """The best answer that a job has: as soon as that is final, at the latest after `seconds`.

    Waits longer than the api's `wait_seconds` are cut to that. The asker's own time-out must be longer than the wait.
    """

    tenant: Tenant
    job_id: Key
    seconds: Annotated[float, Meta(ge=0)] = 0.0


class BestAnswer(Value, frozen=True):
    """The best answer so far: `final`, `provisional` (it may still become better), or `none` there is.

    `result` is the answer, or `result_ref` names it where it is too large to stand here. `source` is `classical` where
    the answer is the baseline's, else `quantum`. A final answer is `degraded` where it is not the one first asked for.
    `reason` says why it is degraded, what a provisional one is, or why there is none.
    """

    job_id: Key
    tenant: Tenant
    state: JobState
    standing: Literal["none", "provisional", "final"]
    source: Literal["quantum", "classical", ""] = ""
    degraded: bool = False
    reason: Text = ""
    result: JobResult | None = None
    result_ref: BlobRef | None = None
