"""What replicas of the control plane saw and tell each other: of each subject the latest few, whoever saw them.

Merging is a union of which the latest are kept. It comes to the same in any order, in any grouping and however often,
so replicas need no agreement: what is written twice, late, or over what another one wrote is put right by the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from quire_contracts.value import Text, Value, readable_key

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT: Final = 32
"""Of one subject."""

AHEAD_SECONDS: Final = 60.0
"""So far the clocks of two machines may differ; what was seen later than that was not."""

_READABLE: Final = 96

Subject = tuple[str, ...]
"""What it was that was seen, and of what: see `turnaround` and `gain`."""


class Seen(Value, frozen=True, array_like=True, order=True):
    """A figure, seen `at` (seconds since 1970, UTC) and told apart from all others of that time by `mark`."""

    at: float
    mark: Annotated[int, Meta(ge=0, lt=2**53)]
    figure: Annotated[float, Meta(ge=0)]


class Memory(Value, frozen=True):
    """An entry of the bucket: a subject, and the latest that was seen of it, in order of time."""

    subject: Annotated[tuple[Text, ...], Meta(max_length=8)]
    seen: Annotated[tuple[Seen, ...], Meta(max_length=KEPT)]


def turnaround(target: str) -> Subject:
    """Seconds from the sending of work to a target until its answer."""
    return ("turnaround", target)


def gain(tenant: str, kind: str, unit: str) -> Subject:
    """By which share quantum answers of a tenant's jobs of a kind and objective were better than the classical ones."""
    return ("gain", tenant, kind, unit)


def key_of(subject: Subject) -> str:
    """Where a subject's entry is kept."""
    return readable_key(subject, _READABLE)


def merged(*seen: Iterable[Seen]) -> tuple[Seen, ...]:
    """The latest of all that was seen, each once, in order of time."""
    return tuple(sorted({each for some in seen for each in some})[-KEPT:])


def since(seen: Iterable[Seen], now: float, seconds: float) -> list[Seen]:
    """What was seen no longer ago than that, or than its own figure where that is longer: for what is seen rarely."""
    earliest, latest = now - seconds, now + AHEAD_SECONDS
    return [each for each in seen if each.at <= latest and (each.at >= earliest or each.at >= now - each.figure)]
