"""A job's way in and its end: submission, acceptance, refusal, and the terminal events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from quire_contracts.document import JobKind
from quire_contracts.result import JobResult
from quire_contracts.value import (
    BlobRef,
    Execution,
    Fault,
    Key,
    Name,
    Priority,
    Problem,
    Seconds,
    Sha256,
    Target,
    Tenant,
    Text,
    Timing,
    Value,
)

BLOB_REF_MEDIA_TYPE = "application/vnd.quire.blobref+json"
"""The content type of a submission whose body is the `BlobRef` of a document too large for a message."""


class SubmitJob(Value, frozen=True):
    """A job document on its way in. On the wire the body is the document itself; tenant and id stand in the subject.

    The body is not checked yet: whoever takes it answers `JobAccepted`, `JobRejected` or `SubmissionRefused`.
    """

    job_id: Key
    tenant: Tenant
    body: bytes
    media_type: Annotated[str, Meta(max_length=128)] = "application/json"


class CancelJob(Value, frozen=True):
    """Stop a job; what already ran stays recorded."""

    job_id: Key
    tenant: Tenant
    reason: Text = ""


class ReplayJob(Value, frozen=True):
    """Run a job of the same tenant again, as the new job `job_id`: the same document with the same seed.

    It runs where the first one ran, or at `target` alone. Nothing of it is answered from memory.
    """

    job_id: Key
    tenant: Tenant
    replay_of: Key
    target: Target | None = None


class ExpireJob(Value, frozen=True):
    """A job's deadline has come, or will in `reserve_seconds`; sent by a schedule when the job was accepted.

    With a reserve it ends a job that has a lesser answer; one that has none is told again at its deadline.
    """

    job_id: Key
    tenant: Tenant
    reserve_seconds: Seconds = 0.0


class AbandonJob(Value, frozen=True):
    """End a job whose life cannot go on because a message of its own could not be handled anywhere."""

    job_id: Key
    tenant: Tenant
    fault: Fault


class JobAccepted(Value, frozen=True):
    """A submission was taken; its life is on `quire.evt.<tenant>.*.*.*.<job_id>`.

    Answered under the submission's own key, and under the job's id where that differs. `repeated` says that the job
    existed already with the same content.
    """

    job_id: Key
    tenant: Tenant
    kind: JobKind
    name: Name
    project: str
    priority: Priority
    content_sha256: Sha256
    accepted_at: datetime
    targets: tuple[Target, ...] = ()
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    deadline_at: datetime | None = None
    repeated: bool = False
    replay_of: Key | None = None
    parent: Key | None = None


class JobRejected(Value, frozen=True):
    """The end of a submission that cannot become a result: nothing ran, nothing was spent."""

    job_id: Key
    tenant: Tenant
    code: Annotated[str, Meta(max_length=64)]
    reason: Text
    next_step: Text
    problems: tuple[Problem, ...] = ()


class SubmissionRefused(Value, frozen=True):
    """A submission whose key already names a job with other content; that job is untouched."""

    submission: Key
    tenant: Tenant
    job_id: Key
    code: Annotated[str, Meta(max_length=64)]
    reason: Text
    next_step: Text


class JobCompleted(Value, frozen=True):
    """The end of a job that has an answer; `degraded` says that it is not the answer first asked for, and why.

    The answer stands in `result`, or, where it is too large for a message, as JSON behind `result_ref`.
    """

    job_id: Key
    tenant: Tenant
    kind: JobKind
    result: JobResult | None = None
    result_ref: BlobRef | None = None
    degraded: bool = False
    reason: Text = ""
    executions: Annotated[tuple[Execution, ...], Meta(max_length=100)] = ()
    timings: Annotated[tuple[Timing, ...], Meta(max_length=100)] = ()
    cost_usd: float = 0.0
    shots: int = 0
    needs_review: Text = ""
    """Why a person is to look at the answer; empty where nobody has to."""


class JobFailed(Value, frozen=True):
    """The end of a job without an answer, with its reason and what can be done."""

    job_id: Key
    tenant: Tenant
    kind: JobKind
    fault: Fault


class JobCancelled(Value, frozen=True):
    """The end of a job that was stopped on request."""

    job_id: Key
    tenant: Tenant
    kind: JobKind
    reason: Text
