"""Taking a submission: what its headers must say, and what is stored when it is good, repeated, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from quire_api.problems import Refusal
from quire_api.reading import record_of
from quire_api.submission import ACCEPTED, Enclosed, Submission, owner_of, read_submission
from quire_api.view import Accepted, links_of
from quire_contracts import limits
from quire_contracts.intake import DocumentError
from quire_contracts.job import BLOB_REF_MEDIA_TYPE, JobRejected, SubmitJob

if TYPE_CHECKING:
    from quire_api.door import Door, Request

_ENVELOPE_BYTES: Final = 8 * 1024
"""What a message's headers take at most; a document that leaves them no room travels by its address."""


def accepted_type(request: Request) -> str:
    """The media type of a submission.

    Raises:
        Refusal: 415, with those that are taken.
    """
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type not in ACCEPTED:
        names = ", ".join(ACCEPTED)
        detail = f"send one of {names}, not {media_type[:100] or 'nothing'}"
        raise Refusal(415, "media-type", "This media type is not understood", detail, headers={"Accept-Post": names})
    return media_type


def only_key(request: Request) -> str | None:
    """The Idempotency-Key header as it stands, if there is one.

    Raises:
        Refusal: 400, if there are two.
    """
    keys = request.headers.getall("idempotency-key", [])
    if len(keys) > 1:
        raise Refusal(400, "bad-request", "The request cannot be understood", "there is more than one Idempotency-Key")
    return keys[0] if keys else None


async def submit(door: Door, content: Enclosed, key: str | None, trace_id: str) -> Accepted:
    """Store a submission, unless its key names a job that exists.

    The control plane decides what becomes of it: two submissions under one key that are here at the same time are both
    stored, and one of them is refused there.

    Raises:
        Refusal: 422 for a document that is not valid, of which an event is stored; 409 for a key with other content;
            429 for a new job while the house is too far behind for it, of which nothing is stored.
    """
    try:
        submission = read_submission(content, key, door.new_id)
    except DocumentError as error:
        raise await _rejected(door, owner_of(content.document), error, trace_id) from None
    job_id, tenant = submission.job_id, submission.tenant
    links = links_of(tenant, job_id)
    record = await record_of(door, tenant, job_id) if submission.keyed else None
    if record is not None and record.content_sha256 != submission.content_sha256:
        detail = f"job {job_id} was submitted under this key with other content"
        title, next_step = "The key is taken", "Use a new key for new work."
        raise Refusal(409, "key-reused", title, detail, next_step, job_id=job_id, state=record.state)
    if record is not None:
        return Accepted(job_id, tenant, record.state, links, trace_id=record.trace_id, repeated=True)
    door.intake.admit(submission.job)
    await door.bus.publisher.publish(await _message(door, submission))
    return Accepted(job_id, tenant, "queued", links, trace_id=trace_id)


async def _message(door: Door, submission: Submission) -> SubmitJob:
    """The command: with the document itself, or with its address where it is too large for a message."""
    body, media_type = submission.document, "application/json"
    if len(body) + _ENVELOPE_BYTES > limits.MESSAGE_BYTES:
        body = msgspec.json.encode(await door.bus.blobs.put(body, media_type))
        media_type = BLOB_REF_MEDIA_TYPE
    return SubmitJob(job_id=submission.job_id, tenant=submission.tenant, body=body, media_type=media_type)


async def _rejected(door: Door, tenant: str, error: DocumentError, trace_id: str) -> Refusal:
    """Say that a document was refused at the door, under an id of its own: a key may name a job that is well."""
    job_id = door.new_id()
    first = error.problems[0]
    reason = f"{first.pointer or 'the document'}: {first.reason}"[:2_000]
    next_step = (first.hint or "Correct the document and submit it again.")[:2_000]
    said = JobRejected(
        job_id=job_id,
        tenant=tenant,
        code="invalid-document",
        reason=reason,
        next_step=next_step,
        problems=error.problems,
    )
    await door.bus.publisher.publish(said)
    title = "The job document is not valid"
    return Refusal(
        422, "invalid-document", title, reason, next_step, error.problems, job_id, "rejected", trace_id=trace_id
    )
