"""How busy targets are, as batching reports it: kept in a bucket, a hint for those who choose and admit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta

from quire_contracts.value import Seconds, Target, Value

LOAD_KEYS: Final = "load."
"""How the keys of reports begin, in the bucket `backends`; a key for each replica of batching."""


class TargetLoad(Value, frozen=True):
    """One target: `waiting` tasks in the queue, `in_flight` batches under way.

    `wait_seconds` is what a task that comes now can expect to wait, `batch_seconds` what a batch takes, `error_rate`
    the share of batches that failed of the last ones, `window_seconds` how long tasks wait for company at present.
    """

    target: Target
    waiting: Annotated[int, Meta(ge=0)]
    in_flight: Annotated[int, Meta(ge=0)]
    wait_seconds: Seconds
    batch_seconds: Seconds
    error_rate: Annotated[float, Meta(ge=0, le=1)]
    window_seconds: Seconds = 0.0


class LoadReport(Value, frozen=True):
    """What one replica of batching sees: the targets it has work for, and at most those."""

    instance: str
    at: datetime
    targets: tuple[TargetLoad, ...]
