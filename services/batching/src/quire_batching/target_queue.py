"""The queue of one target: tasks of equal key gather in groups, and leave as batches in fair turns.

Time is an argument (seconds of a monotonic clock, never going back), so the same calls always give the same batches. A
queue has one owner and changes in place: thousands of tasks wait in it, and a copy for each would be most of its work.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from quire_batching.control import Size, Surroundings, narrowed, places_for, window_for
from quire_batching.flights import Closed, Flight
from quire_batching.group import Group, Item
from quire_batching.grouping import GroupKey
from quire_batching.house import House, Pace
from quire_batching.load import Load, within
from quire_batching.measures import Company, Service
from quire_batching.policy import Policy
from quire_batching.shares import Shares
from quire_contracts.batch import FlushReason

T = TypeVar("T")

ADAPT_SECONDS: Final = 0.1
_FORGET_SECONDS: Final = 10.0
_FLIGHT_SECONDS: Final = 10.0
_FLIGHT_TIMES: Final = 10.0
"""A batch whose end was not heard of holds its place for this many times what it should take."""

_CROWD: Final = 2
"""Batches under way from which on a task that is alone lets one of them come back first (Nagle), in case of company;
one is enough where company is to be expected before that."""

_GAPS: Final = 5.0
"""Usual times between two companions after which a task that is still alone waits no more: by chance that happens once
in 150 times (random arrivals), so its company has become rarer than it was."""

_ENDLESS: Final = 1 << 62


class TargetQueue(Generic[T]):
    """What waits for one target and what is under way there.

    window: seconds that groups wait for company at present, before the bound of their class.
    places: batches that may be under way at present.   depth: what waits.   flights: what is under way, by ticket.
    """

    def __init__(self, target: str, policy: Policy, now: float, house: House | None = None) -> None:
        self.window = policy.fixed_window or 0.0
        self.depth = Load()
        self.flights: dict[int, Flight] = {}
        self.service = Service()
        self.company = Company(now)
        self._house = house or House(now)
        self._batches = Pace(now)
        self._policy = policy
        self._limits = policy.limits_of(target)
        self._places = policy.places_of(target) if policy.fixed_window is None else _ENDLESS
        self.places = self._places
        self._chosen = 0.0
        self._size = Size(policy.batch_seconds)
        self._room = within(self._limits, self._size.cap)
        self._adapted = -math.inf
        self._groups: dict[GroupKey, Group[T]] = {}
        self._known: dict[GroupKey, Company] = {}
        self._ripe: dict[str, dict[str, dict[GroupKey, None]]] = {}
        self._classes = Shares(policy.class_weights)
        self._tenants: dict[str, Shares] = {}
        self._alarms: list[tuple[float, int, GroupKey, int]] = []
        self._serial = itertools.count()

    def admit(self, item: Item[T], now: float) -> None:
        """Let an item in; `take` gives what may leave."""
        known = self._known.setdefault(item.key, Company(now))
        known.came(now)
        self.company.came(now)
        group = self._groups.get(item.key)
        if group is None:
            group = self._groups[item.key] = self._opened(item.key, known, now)
            self._alarm(group.ripe_at, item.key, group)
            if group.lone_at < group.ripe_at:
                self._alarm(group.lone_at, item.key, group)
            self._alarm(now + self._policy.bounds[item.key.priority].hold, item.key, group)
        group.add(item, now)
        self.depth += item.load
        if item.leave_by < math.inf:
            self._alarm(item.leave_by, item.key, group)
        if group.ripe:
            self._index(item.key, item.tenant)
        elif group.load.fills(self._room) or (group.ripe_at <= now and group.load.members > 1):
            self._ripen(item.key, group)

    def take(self, now: float) -> list[Closed[T]]:
        """Everything that leaves now, each batch within the limits; a load above them leaves alone ("single").

        First what may wait no longer, whether its target is busy or not, then what is ripe, in fair turns, while there
        are places.
        """
        self._expire(now)
        self._wait_no_more(now)
        closed = [self._close(key, reason, now) for key, reason in self._overdue(now)]
        while self._ripe and len(self.flights) < self.places:
            tenant, key = self._next()
            full = self._groups[key].load.fills(self._room)
            if not full and len(self.flights) >= self._groups[key].crowd and self._groups[key].is_early(now):
                self._unripen(key)
                continue
            reason: FlushReason = "size" if full else "age"
            closed.append(self._close(key, reason, now, turn=tenant))
        return closed

    def flush(self, now: float) -> list[Closed[T]]:
        """Everything leaves, whatever it waited for: this replica is about to end, or the target takes no work."""
        closed = []
        while self._groups:
            closed.append(self._close(next(iter(self._groups)), "age", now))
        self._alarms.clear()  # of groups that have left; once past, they would be due for ever where nothing is taken
        return closed

    def next_due(self) -> float:
        """When `take` should be called at the latest, if nothing comes and nothing ends before; infinity for never."""
        ends = min((flight.expires for flight in self.flights.values()), default=math.inf) if self._ripe else math.inf
        return min(ends, self._alarms[0][0] if self._alarms else math.inf)

    def over(self, ticket: int, now: float, *, ok: bool = True, measured: bool = True) -> None:
        """A batch is over, its place free; with `measured` False it was never sent, or says nothing of the target.

        Unknown tickets are ignored.
        """
        flight = self.flights.pop(ticket, None)
        if flight is None:
            return
        self.company.left(now, flight.load.members)
        if known := self._known.get(flight.key):
            known.left(now, flight.load.members)
        if measured:
            took = self.service.finished(now, flight.sent, flight.load.seconds, ok=ok)
            self._size.finished(flight.load.seconds, took, ok=ok, full=flight.full)
            self._room = within(self._limits, self._size.cap)

    def expected_wait(self, now: float) -> float:
        """Seconds that a task which comes now can expect to wait: until all before it is done, one batch after another.

        Not less than the oldest task has waited, for an estimate may be wrong and a wait is a fact.
        """
        batches = len(self._groups) + len(self.flights)
        seconds = self.depth.seconds + sum(flight.load.seconds for flight in self.flights.values())
        oldest = min((group.opened for group in self._groups.values()), default=now)
        return max(batches * self.service.overhead + seconds * self.service.slope, now - oldest)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._groups and not self.flights

    def _opened(self, key: GroupKey, known: Company, now: float) -> Group[T]:
        serial, fixed = next(self._serial), self._policy.fixed_window
        if fixed is not None:
            return Group(serial, now, now + fixed, now + fixed)
        bound = self._policy.bounds[key.priority].window
        self._adapt(now)
        expected = known.rate(now, self.company.rate(now) / max(1, len(self._known)))
        if expected * bound < 1:
            return Group(serial, now, now, now)
        answer = self.service.turnaround or bound
        lone = min(max(self._policy.lone_windows * self.window, answer), _GAPS / expected)
        crowd = 1 if expected * self.service.turnaround >= 1 else _CROWD
        return Group(serial, now, now + min(self.window, bound), now + min(lone, bound), crowd=crowd)

    def _adapt(self, now: float) -> None:
        """Choose the window anew; not more often than its measures can have changed."""
        if now - self._adapted < ADAPT_SECONDS:
            return
        self._adapted = now
        self._known = {
            key: known for key, known in self._known.items() if known.present or now - known.touched < _FORGET_SECONDS
        }
        share = self.company.rate(now) / max(1, len(self._known))
        rates = [known.rate(now, share) for known in self._known.values()] if share else []
        longest = max(bounds.window for bounds in self._policy.bounds.values())
        load = sum((flight.load for flight in self.flights.values()), self.depth)
        self.service.learn(now)
        self._house.learn(now)
        house = Surroundings(self._house.utilisation, self._house.capacity, self._batches.rate(now))
        self.places = places_for(self.service, self._places)
        each = load.seconds / max(1, load.members)
        self._chosen = window_for(rates, self.service, each, longest, house, present=self._chosen)
        self.window = narrowed(self._chosen, self.service.errors)

    def _next(self) -> tuple[str, GroupKey]:
        """The tenant whose turn it is, in the class whose turn it is, and its group that became ripe first."""
        since = {
            priority: {tenant: self._groups[next(iter(keys))].opened for tenant, keys in tenants.items()}
            for priority, tenants in self._ripe.items()
        }
        priority = self._classes.first({priority: min(tenants.values()) for priority, tenants in since.items()})
        tenant = self._turns(priority).first(since[priority])
        return tenant, next(iter(self._ripe[priority][tenant]))

    def _alarm(self, at: float, key: GroupKey, group: Group[T]) -> None:
        heapq.heappush(self._alarms, (at, next(self._serial), key, group.serial))

    def _expire(self, now: float) -> None:
        for ticket in [ticket for ticket, flight in self.flights.items() if flight.expires <= now]:
            self.over(ticket, now, measured=False)

    def _overdue(self, now: float) -> Iterator[tuple[GroupKey, FlushReason]]:
        """Groups that leave although there may be no place; those whose window is over become ripe on the way."""
        while self._alarms and self._alarms[0][0] <= now:
            _, _, key, serial = heapq.heappop(self._alarms)
            while (group := self._groups.get(key)) and group.serial == serial and self._must_leave(key, group, now):
                yield key, "deadline" if group.hurry <= now else "age"
            if group is None or group.serial != serial or group.ripe:
                continue
            if (group.ripe_at if group.load.members > 1 else group.lone_at) <= now:
                self._ripen(key, group)
            elif group.ripe_at <= now:
                self._alarm(group.lone_at, key, group)

    def _wait_no_more(self, now: float) -> None:
        """Little is under way: who is alone and waits for an answer, in case company comes before it, may leave."""
        for key, group in self._groups.items():
            if not group.ripe and group.ripe_at <= now and not self.window and len(self.flights) < group.crowd:
                self._ripen(key, group)

    def _must_leave(self, key: GroupKey, group: Group[T], now: float) -> bool:
        return group.hurry <= now or group.opened + self._policy.bounds[key.priority].hold <= now

    def _close(self, key: GroupKey, reason: FlushReason, now: float, *, turn: str | None = None) -> Closed[T]:
        """One batch of a group; `turn` is the tenant whose turn it is, None where there was no time for turns."""
        group = self._groups[key]
        tenants = tuple(group.items)
        late = (now - self._policy.bounds[key.priority].hold, now)
        chosen, load = group.take(self._room, self._turns(key.priority), turn, late)
        self.depth -= load
        self._classes.charge(key.priority, load.seconds)
        for tenant in tenants:
            if tenant not in group.items:
                self._unindex(key, tenant)
        if group.items:
            self._alarm(group.opened + self._policy.bounds[key.priority].hold, key, group)
        else:
            del self._groups[key]
        if load.members == 1 and load.fills(self._room):
            reason = "single"
        return Closed(
            key, tuple(item.content for item in chosen), reason, self._fly(key, load, now, full=bool(group.items)), load
        )

    def _fly(self, key: GroupKey, load: Load, now: float, *, full: bool) -> int:
        self._house.sent(now)
        self._batches.add(now)
        ticket = next(self._serial)
        expected = self.service.overhead + self.service.slope * load.seconds
        self.flights[ticket] = Flight(key, load, full, now, now + max(_FLIGHT_SECONDS, _FLIGHT_TIMES * expected))
        return ticket

    def _turns(self, priority: str) -> Shares:
        turns = self._tenants.get(priority)
        if turns is None:
            turns = self._tenants[priority] = Shares(self._policy.tenant_weights)
        return turns

    def _ripen(self, key: GroupKey, group: Group[T]) -> None:
        group.ripe = True
        for tenant in group.items:
            self._index(key, tenant)

    def _unripen(self, key: GroupKey) -> None:
        """What was about to leave makes a crowd: this one waits for company after all."""
        group = self._groups[key]
        group.ripe = False
        for tenant in group.items:
            self._unindex(key, tenant)
        self._alarm(group.lone_at, key, group)

    def _index(self, key: GroupKey, tenant: str) -> None:
        self._ripe.setdefault(key.priority, {}).setdefault(tenant, {})[key] = None

    def _unindex(self, key: GroupKey, tenant: str) -> None:
        by_tenant = self._ripe.get(key.priority, {})
        keys = by_tenant.get(tenant, {})
        keys.pop(key, None)
        if not keys:
            by_tenant.pop(tenant, None)
        if not by_tenant:
            self._ripe.pop(key.priority, None)
