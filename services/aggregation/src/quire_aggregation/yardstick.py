"""The problem that samples are held against, read once for all the rounds of its loop."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import msgspec

from quire_contracts.problems import Problems
from quire_problems import Encoding, Kind, kind_of
from quire_resilience.errors import Permanent

_decoder: Final = msgspec.json.Decoder(Problems)


@dataclass(frozen=True, slots=True, eq=False)
class Yardstick:
    """A problem, and the encoding that its samples were drawn from."""

    kind: Kind
    encoding: Encoding

    @property
    def constrained(self) -> bool:
        """Whether an assignment can be infeasible."""
        return self.encoding.ceiling is not None

    def encoded(self, objective: float) -> float:
        """The least energy that an assignment with this objective has."""
        return objective * objective if self.encoding.squared else self.encoding.scale * objective


def yardstick(problem: bytes) -> Yardstick:
    """The yardstick of a problem's JSON.

    Raises:
        Permanent: if it cannot be read.
    """
    try:
        return _read(problem)
    except msgspec.DecodeError as error:
        raise Permanent(
            "problem-unreadable",
            f"the problem of the loop cannot be read: {error}"[:2_000],
            next_step="Submit the job again; if this repeats, report it.",
            kind="unknown",
        ) from None


@functools.lru_cache(maxsize=64)
def _read(problem: bytes) -> Yardstick:
    kind = kind_of(_decoder.decode(problem))
    return Yardstick(kind, kind.encoding())
