"""Tasks of one key that wait together, each tenant's in the order they came, and which of them the next batch takes."""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from quire_batching.grouping import GroupKey
from quire_batching.load import Load
from quire_batching.shares import Shares

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """Something that waits: its key, whose it is, its load, and the moment by which it must leave."""

    key: GroupKey
    tenant: str
    load: Load
    content: T
    leave_by: float = math.inf


@dataclass(slots=True)
class Group(Generic[T]):
    """The waiting items of one key.

    ripe_at, lone_at: when the group may leave, and when it may although it holds one item only.
    opened: when the oldest item came.   hurry: the earliest moment by which one must leave.   ripe: whether it may.
    crowd: batches under way from which on one item waits for company.
    """

    serial: int
    opened: float
    ripe_at: float
    lone_at: float
    load: Load = field(default_factory=Load)
    hurry: float = math.inf
    ripe: bool = False
    crowd: int = 1
    items: dict[str, deque[tuple[float, Item[T]]]] = field(default_factory=dict)

    def is_early(self, now: float) -> bool:
        """Whether this is one item alone that may wait for company yet."""
        return self.load.members == 1 and now < min(self.lone_at, self.hurry)

    def add(self, item: Item[T], now: float) -> None:
        """One more, behind its tenant's others."""
        self.items.setdefault(item.tenant, deque()).append((now, item))
        self.load += item.load
        self.hurry = min(self.hurry, item.leave_by)

    def take(
        self, room: Load, turns: Shares, first: str | None, late: tuple[float, float]
    ) -> tuple[list[Item[T]], Load]:
        """The next batch, removed from here and counted in `turns`: as many items as fit, at least one, and their load.

        first: the tenant whose turn it is; None lets what may wait no longer go first: what came, or must leave, at or
        before the moments in `late`.
        """
        if self.load.fits(room):
            chosen = [item for waiting in self.items.values() for _, item in waiting]
            for item in chosen:
                turns.charge(item.tenant, item.load.seconds)
            self.items.clear()
            return chosen, self.load
        chosen = [] if first is not None else self._late(room, late)
        load = sum((item.load for item in chosen), Load())
        order = [(-math.inf if tenant == first else turns.tag(tenant), tenant) for tenant in self.items]
        heapq.heapify(order)
        while order:
            _, tenant = heapq.heappop(order)
            head = self.items[tenant][0][1]
            if chosen and not (load + head.load).fits(room):
                continue
            self._remove(tenant)
            chosen.append(head)
            load += head.load
            turns.charge(tenant, head.load.seconds)
            if tenant in self.items:
                heapq.heappush(order, (turns.tag(tenant), tenant))
        self._look()
        return chosen, load

    def _late(self, room: Load, late: tuple[float, float]) -> list[Item[T]]:
        """What may wait no longer, the oldest first, as much as fits."""
        came, must = late
        due = sorted(
            (
                (arrived, place, item)
                for waiting in self.items.values()
                for place, (arrived, item) in enumerate(waiting)
                if arrived <= came or item.leave_by <= must
            ),
            key=lambda each: each[:2],
        )
        chosen: list[Item[T]] = []
        load = Load()
        for _, _, item in due:
            if chosen and not (load + item.load).fits(room):
                break
            chosen.append(item)
            load += item.load
        taken = set(map(id, chosen))
        for tenant in tuple(self.items):
            rest = deque(each for each in self.items[tenant] if id(each[1]) not in taken)
            if rest:
                self.items[tenant] = rest
            else:
                del self.items[tenant]
        return chosen

    def _remove(self, tenant: str) -> None:
        self.items[tenant].popleft()
        if not self.items[tenant]:
            del self.items[tenant]

    def _look(self) -> None:
        """Measure anew what is left."""
        left = [each for waiting in self.items.values() for each in waiting]
        self.load = sum((item.load for _, item in left), Load())
        self.hurry = min((item.leave_by for _, item in left), default=math.inf)
        self.opened = min((arrived for arrived, _ in left), default=self.opened)
