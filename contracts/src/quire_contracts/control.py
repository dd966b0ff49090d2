"""What the control plane states while a job runs."""

from __future__ import annotations

from quire_contracts.result import Round
from quire_contracts.value import Key, Tenant, Value


class LoopAdvanced(Value, frozen=True):
    """A round of a job's loop is over and its checkpoint is written."""

    job_id: Key
    tenant: Tenant
    rounds: int
    round: Round


class Progress(Value, frozen=True):
    """A live remark on a job; not stored, for eyes only."""

    job_id: Key
    tenant: Tenant
    stage: str
    detail: str = ""
    round: int | None = None
    rounds: int | None = None
    objective: float | None = None
    target: str = ""
