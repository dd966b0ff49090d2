"""What can happen to a submission; `journal.transition` says what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from quire_contracts.value import BlobRef, Fault, Late


@dataclass(frozen=True, slots=True)
class Intended:
    """A gateway will run the batch, from the beginning."""

    batch_id: str
    target: str
    request_sha256: str
    note: str = ""
    deadline_at: datetime | None = None
    late: Late = "stop"


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Another gateway goes on with it; a call that was being made has an unknown outcome from here on."""


@dataclass(frozen=True, slots=True)
class Called:
    """The provider is called next. `cleared`: a search has proven that no earlier call left anything there."""

    epoch: int
    reserved_usd: float = 0.0
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Uncalled:
    """The call that was announced was certainly not made."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has the work under this id."""

    epoch: int
    provider_job_id: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """The provider was found to have the work under this id; a fact about it, so anybody may write it."""

    provider_job_id: str
    note: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The answer is stored."""

    epoch: int
    answer: BlobRef


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused the work, or ran it and it failed.

    cleared: as for `Called`.   provider_job_id: of the job that failed; empty where a call was refused.
    """

    epoch: int
    fault: Fault
    cleared: bool = False
    provider_job_id: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody can say whether the provider has the work. provider_job_id: of the job that is gone, if there was one."""

    epoch: int
    note: str
    provider_job_id: str = ""


@dataclass(frozen=True, slots=True)
class Parked:
    """Nobody will find out by asking further; an operator must."""

    epoch: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Abandoned:
    """An operator says that nothing will come of it."""

    fault: Fault
    note: str


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Nobody wants it any more. `late`: what becomes of it if it is at the provider already; see `Submission`."""

    note: str = "cancel asked"
    late: Late = "stop"


@dataclass(frozen=True, slots=True)
class Doubled:
    """This job is one too many: the provider was made to cancel it."""

    provider_job_id: str


Event = (
    Intended
    | TakenOver
    | Called
    | Uncalled
    | Accepted
    | Adopted
    | Retrieved
    | Refused
    | Lost
    | Parked
    | Abandoned
    | CancelAsked
    | Doubled
)

FACTS = (TakenOver, Adopted, Abandoned, CancelAsked, Doubled)
"""Events that belong to no epoch: anybody may write them."""
