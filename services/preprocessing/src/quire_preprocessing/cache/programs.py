"""Programs by their skeletons: known in this process, known in the fleet, or parsed for the first time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol, TypeVar
from weakref import WeakValueDictionary

from opentelemetry.metrics import Meter

from quire_preprocessing.cache.bounded import Bounded
from quire_quantum.lift import Program
from quire_quantum.parse import Parsed
from quire_quantum.rejection import ProgramRejected
from quire_quantum.skeleton import Skeleton, scan

T = TypeVar("T")

ParseProgram = Callable[[str], Parsed]
"""A program's text taken apart, never in this process; it blocks, and raises ProgramRejected."""


class Run(Protocol):
    """Runs what blocks, off the event loop."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]:
        """What `work` gives or raises."""
        ...


_BYTES_OF_TEXT: Final = 30
"""Bytes that a program takes in memory for each character of its structure's text, about."""


class FleetPrograms(Protocol):
    """What every process of the fleet knows: programs by the digests of their skeletons."""

    async def get(self, sha256: str) -> Program | None:
        """The program, or None if it is not known yet."""
        ...

    async def put(self, sha256: str, program: Program) -> None:
        """Tell the fleet; idempotent."""
        ...


class Programs:
    """Gives the program of a text: the same whatever was known before.

    parse: for a text whose skeleton nobody knows, or none is accepted.
    fleet: asked once for each skeleton, and told of each one that was parsed here.
    most_bytes: of programs kept here, by estimate.
    """

    def __init__(self, parse: ParseProgram, fleet: FleetPrograms, run: Run, *, most_bytes: int, meter: Meter) -> None:
        self._parse = parse
        self._fleet = fleet
        self._run = run
        self._known: Bounded[str, Program] = Bounded("skeletons", most_bytes, meter)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._parsed = meter.create_counter(
            "quire.programs.parsed", unit="{program}", description="Programs that went through the parser."
        )

    async def program(self, source: str) -> Program:
        """The text's program. Of texts with one skeleton that come at a time, one is parsed and the others wait.

        Raises:
            ProgramRejected: whatever is wrong with it.
        """
        skeleton = scan(source)
        if skeleton is None:
            return (await self._take_apart(source)).program
        known = self._known.get(skeleton.sha256)
        if known is None:
            turn = self._turns.setdefault(skeleton.sha256, asyncio.Lock())
            async with turn:
                known = self._known.peek(skeleton.sha256) or await self._fleet.get(skeleton.sha256)
                if known is None:
                    return await self._first(source, skeleton)
                self._keep(skeleton, known)
        try:
            return known.bound(skeleton.literals)
        except ProgramRejected:  # a number that is not finite: the text itself is told why, or has another program
            return (await self._take_apart(source)).bound(skeleton)

    async def _first(self, source: str, skeleton: Skeleton) -> Program:
        parsed = await self._take_apart(source)
        if parsed.is_skeleton:
            self._keep(skeleton, parsed.program)
            await self._fleet.put(skeleton.sha256, parsed.program)
        return parsed.bound(skeleton)

    async def _take_apart(self, source: str) -> Parsed:
        self._parsed.add(1)
        return await self._run(partial(self._parse, source))

    def _keep(self, skeleton: Skeleton, program: Program) -> None:
        size = len(skeleton.text) + _BYTES_OF_TEXT * len(program.structure.to_text())
        self._known.put(skeleton.sha256, program, size)
