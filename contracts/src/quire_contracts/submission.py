"""What goes wrong with submissions to providers so that a person must know: none of these should ever be said."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from quire_contracts.value import Key, Target, Value

ProviderJob = Annotated[str, Meta(max_length=2_048, description="A provider's own id of a job, or of several as one.")]


class BatchParked(Value, frozen=True):
    """Nobody can say whether the provider has the batch's work: it is neither repeated nor sent elsewhere.

    An operator looks it up at the provider, by `token` where the provider shows it, and adopts or abandons it.
    `since` is when the call was made whose outcome is unknown.
    """

    batch_id: Key
    target: Target
    token: Key
    since: datetime
    reserved_usd: Annotated[float, Meta(ge=0)] = 0.0


class DuplicateFound(Value, frozen=True):
    """A provider has two jobs for one batch; `provider_job_id` is one too many and was asked to be cancelled."""

    batch_id: Key
    target: Target
    provider_job_id: ProviderJob
    kept: ProviderJob
    at: datetime


class OrphanFound(Value, frozen=True):
    """A provider has a job with a token of ours that belongs to no known batch."""

    target: Target
    token: Key
    provider_job_id: ProviderJob
    created_at: datetime
    cancelled: bool
