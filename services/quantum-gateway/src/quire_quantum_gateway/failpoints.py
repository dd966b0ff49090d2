"""Named places on the way of a submission where a test can end the process, as a kill would."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final, Protocol

POINTS: Final = (
    "opened",  # the intent, or the taking over, is written
    "announced",  # `Called` is written
    "calling",  # on its thread, immediately before the call
    "called",  # on its thread, immediately after the call
    "heard",  # the call's outcome is known here and not written
    "submitted",  # the provider's job id is written
    "searched",  # a search has answered
    "adopted",  # a found job is written
    "polled",  # the job is over, its result not fetched
    "fetched",  # its result is here
    "stored",  # the answer is in the journal and not said
)
"""In the order in which a submission meets them."""

_EXIT: Final = 137


class Failpoints(Protocol):
    """What the gateway tells where it is."""

    def reach(self, point: str) -> None:
        """Return, or end everything here."""
        ...


class NoFailpoints:
    """Production's."""

    def reach(self, point: str) -> None:
        """Go on."""


@dataclass(slots=True)
class Armed:
    """Ends the process, without any goodbye, when a point is reached for the `times`th time."""

    point: str
    times: int = 1
    _reached: int = field(default=0)

    def reach(self, point: str) -> None:
        """Go on, or end the process."""
        if point == self.point:
            self._reached += 1
            if self._reached == self.times:
                os._exit(_EXIT)


def failpoints(armed: str) -> Failpoints:
    """What a setting says: nothing, `point`, or `point:times`.

    Raises:
        ValueError: for a point that is none.
    """
    if not armed:
        return NoFailpoints()
    point, _, times = armed.partition(":")
    if point not in POINTS:
        raise ValueError(f"{point!r} is no failpoint; there are {', '.join(POINTS)}")
    return Armed(point, int(times or 1))
