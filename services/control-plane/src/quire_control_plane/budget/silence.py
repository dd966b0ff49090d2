"""Of which targets gateways say nothing: nobody waits for them a second time, until something was heard of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SEVERAL: Final = 2
"""So many targets of which nothing was heard, with no answer about any other since: then it is the gateways."""


@dataclass(frozen=True, slots=True)
class Silence:
    """What is known of it, a value. Times are no part of it: whoever asks says how long silence is remembered.

    targets: of which nothing was heard in time.   since: those of them that fell silent after the last answer.
    """

    targets: frozenset[str] = frozenset()
    since: frozenset[str] = frozenset()

    def missed(self, target: str) -> Silence:
        """A question about it was not answered in time."""
        return Silence(self.targets | {target}, self.since | {target})

    def heard(self, target: str) -> Silence:
        """A gateway said something about it; so gateways do answer."""
        return Silence(self.targets - {target}, frozenset())

    def forgotten(self, target: str) -> Silence:
        """It was long ago: the next question about it is waited for again."""
        return Silence(self.targets - {target}, self.since - {target})

    def covers(self, target: str) -> bool:
        """Whether an answer about it is not to be waited for: its own silence, or that of all gateways."""
        return target in self.targets or len(self.since) >= SEVERAL
