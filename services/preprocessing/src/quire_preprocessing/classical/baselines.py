"""Baselines by problem: worked out once in the fleet, then known to every later job with that problem for a while."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from typing import Final, Protocol
from weakref import WeakValueDictionary

import msgspec
from opentelemetry.metrics import Meter

from quire_contracts.problems import Problems
from quire_contracts.value import Observable
from quire_preprocessing.cache.bounded import Bounded, look_ups
from quire_preprocessing.cache.programs import Run
from quire_preprocessing.classical.baseline import Budget, Solved, solve
from quire_preprocessing.minimize.ground_state import reference
from quire_preprocessing.optimize.ising import energy_of
from quire_resilience.clock import Clock

KEPT_SECONDS: Final = 3_600.0
"""How long a baseline is kept here; it could be for ever, but a problem that nobody asked for within the hour seldom
comes back."""

EDITION: Final = 1
"""Of the methods: raised with every change after which a problem has another baseline."""

_LIBRARIES: Final = ("dimod", "dwave-samplers", "highspy", "networkx", "numpy", "scipy")
"""Another version of these may find something else."""

_encoder: Final = msgspec.json.Encoder(order="deterministic")


class FleetBaselines(Protocol):
    """What every process of the fleet knows: baselines by the digests of what they follow from."""

    async def get(self, key: str) -> Solved | None:
        """The baseline, or None if it is not known yet."""
        ...

    async def put(self, key: str, solved: Solved) -> None:
        """Tell the fleet; idempotent."""
        ...


class Baselines:
    """Gives the baseline of a problem: the same whatever was known before, with the seconds that it once took.

    The random numbers of its methods are drawn from the problem, not from the job's seed, so that jobs with one problem
    are held against one baseline. Of equal problems that come at a time, one is worked out and the others wait.

    run: runs what takes long.
    fleet: asked for what is not known here, and told of what was worked out here.
    budget: of the classical methods.   exact_qubits: as `ground_state.reference` has it.
    most_bytes: of baselines kept here, by the size of their JSON.
    """

    def __init__(
        self,
        clock: Clock,
        run: Run,
        fleet: FleetBaselines,
        budget: Budget,
        *,
        exact_qubits: int,
        most_bytes: int,
        meter: Meter,
    ) -> None:
        self._clock = clock
        self._run = run
        self._fleet = fleet
        self._budget = budget
        self._exact_qubits = exact_qubits
        self._known: Bounded[str, tuple[Solved, float]] = Bounded("baselines", most_bytes, meter)
        self._told, self._untold = look_ups("fleet baselines", meter)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def of(self, problem: Problems) -> Solved:
        """The problem's baseline; it holds no thread while it waits for its turn.

        Raises:
            Refused: a problem that has no energy.
        """
        content = _encoder.encode(problem)
        seed = int(hashlib.sha256(content).hexdigest(), 16)
        return await self._found(
            _key(content, self._budget), partial(_solved, problem, seed, self._clock, self._budget)
        )

    async def ground(self, hamiltonian: Observable) -> Solved:
        """The reference of a Hamiltonian."""
        work = partial(_ground, hamiltonian, self._exact_qubits, self._clock)
        return await self._found(_key(_encoder.encode(hamiltonian), self._exact_qubits), work)

    async def _found(self, key: str, work: Callable[[], Solved]) -> Solved:
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            known = self._known.get(key)
            if known is not None and self._clock.monotonic() - known[1] <= KEPT_SECONDS:
                return known[0]
            solved = await self._fleet.get(key)
            if solved is not None:
                self._told()
            else:
                self._untold()
                solved = await self._run(work)
                await self._fleet.put(key, solved)
            size = len(_encoder.encode(solved.baseline))
            self._known.put(key, (solved, self._clock.monotonic()), size)
            return solved


def _solved(problem: Problems, seed: int, clock: Clock, budget: Budget) -> Solved:
    return solve(problem, energy_of(problem), seed, clock, budget)


def _ground(hamiltonian: Observable, exact_qubits: int, clock: Clock) -> Solved:
    began = clock.monotonic()
    baseline = reference(hamiltonian, exact_qubits)
    return Solved(baseline, {baseline.method: clock.monotonic() - began})


def _key(content: bytes, allowed: Budget | int) -> str:
    """A digest of all that a baseline follows from: the problem, what the methods may do, and which ones they are."""
    return hashlib.sha256(b"|".join((_methods(), _encoder.encode(allowed), content))).hexdigest()


@cache
def _methods() -> bytes:
    return "|".join((str(EDITION), *(f"{name} {version(name)}" for name in _LIBRARIES))).encode()
