"""Whose turn it is among those whose messages wait in this process."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

PIECES: Final = 8
"""One after another of a name in its turn. Jobs that are alike for a batch, such as each team's first, would come all
together and then none of them for long, were the turns of single pieces: measured, a sixth of all batches held one."""


class Turns(Generic[T]):
    """What waits, by name: the names take turns of up to `PIECES`, and what is of one name keeps its order.

    Who has much waiting waits behind themselves alone: a name that comes is served after one turn of each other name at
    the latest. Who holds `PIECES` that were taken, because they are slow or were all that there was, is passed over
    while others hold fewer. A step takes no longer, however much waits and of however many names.
    Source: Nagle, "On packet switches with infinite storage", RFC 970, 1985.
    """

    def __init__(self) -> None:
        self._lanes: dict[str, deque[T]] = {}
        self._round: deque[str] = deque()
        self._held: Counter[str] = Counter()
        self._taken = 0
        self._size = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._size

    def put(self, name: str, piece: T) -> None:
        """Let a piece wait behind its name's others; a name that had none waiting is last of the round."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = deque()
            self._round.append(name)
        lane.append(piece)
        self._size += 1

    def take(self) -> T:
        """The next piece of the name whose turn it is; `let_go` says when it is done with.

        Raises:
            IndexError: if nothing waits.
        """
        for _ in range(len(self._round)):
            if self._held[self._round[0]] < PIECES:
                break
            self._pass_on()
        name = self._round[0]
        lane = self._lanes[name]
        piece = lane.popleft()
        self._size -= 1
        self._held[name] += 1
        self._taken += 1
        if not lane:
            del self._lanes[name]
            self._round.popleft()
            self._taken = 0
        elif self._taken == PIECES:
            self._pass_on()
        return piece

    def let_go(self, name: str) -> None:
        """A piece of this name that was taken is done with."""
        self._held[name] -= 1
        if not self._held[name]:
            del self._held[name]

    def _pass_on(self) -> None:
        self._round.rotate(-1)
        self._taken = 0
