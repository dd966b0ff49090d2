"""Asking the gateways what they would make of work: side by side, for a short while, and of the silent ones only once.

A question goes on when nobody waits for it any more. What it brings is remembered for the next decision, and so is that
it brings nothing: then it is asked again in the background, and decisions take what was said last, marked, or nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from quire_bus.errors import QueryFailed, Unanswered
from quire_contracts.appraisal import Appraisal, AppraiseWork
from quire_control_plane.budget.silence import Silence
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from quire_bus.bus import Bus
    from quire_contracts.load import TargetLoad
    from quire_resilience.clock import Clock

ANSWER_SECONDS: Final = 10.0
"""For so long an answer is of use: after that the question is asked anew."""

KNOWN_SECONDS: Final = 0.5
"""A decision waits no longer where there is what was said last of the same work."""

AGAIN_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 300.0
"""So long a silent target is asked about again; then its silence is forgotten, and one decision waits once more."""

BELIEVED: Final = timedelta(hours=1)
"""How old what was said last may be: calibrations change by the hour, prices by the day."""

_KEPT: Final = 256
_SIMULATOR: Final = "simulation"

Heard = tuple[bool, Appraisal | None]
"""Whether a gateway said anything, and what it said."""


@dataclass(slots=True)
class Appraisers:
    """One replica's memory of targets. `plain` is read by decisions in other threads: that is replaced, never changed.

    wait_seconds: for so long a decision waits for what gateways say.
    """

    bus: Bus
    loads: Callable[[], Mapping[str, TargetLoad]]
    clock: Clock
    wait_seconds: float
    _plain: frozenset[str] = field(default_factory=frozenset)
    _silence: Silence = field(default_factory=Silence)
    _said: dict[AppraiseWork, tuple[datetime, Appraisal]] = field(default_factory=dict)
    _open: dict[AppraiseWork, asyncio.Task[Heard]] = field(default_factory=dict)
    _watches: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def plain(self, target: str) -> bool:
        """Whether a target is neither a device nor paid for: the batched simulator is not, others have said so."""
        return target.partition(":")[0] == _SIMULATOR or target in self._plain

    async def ask(self, questions: Sequence[AppraiseWork]) -> dict[AppraiseWork, Appraisal | None]:
        """What gateways say of each, or said last (`Appraisal.said_at`); None where none answers in time."""
        answers = await asyncio.gather(*map(self._ask, questions))
        return dict(zip(questions, answers, strict=True))

    async def close(self) -> None:
        """Ask nobody any more."""
        left = [*self._open.values(), *self._watches.values()]
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _ask(self, question: AppraiseWork) -> Appraisal | None:
        target, found = question.target, None
        waits = not self._silence.covers(target)
        if target not in self._watches:
            asking = self._asking(question)
            if waits and await self._in_time(asking, self._patience(question)):
                _, found = asking.result()
            elif target not in self._watches:
                self._silence = self._silence.missed(target) if waits else self._silence
                self._watches[target] = asyncio.create_task(self._watch(question, asking))
        if found is None:
            found = self._last(question)
        load = self.loads().get(target)
        if found is None or load is None:
            return found
        ran = load.batch_seconds or None  # 0 while no batch has run there
        return msgspec.structs.replace(found, wait_seconds=load.wait_seconds, run_seconds=ran)

    def _asking(self, question: AppraiseWork) -> asyncio.Task[Heard]:
        """The question on its way: once, however many wait for its answer."""
        if question not in self._open:
            self._open[question] = asyncio.create_task(self._heard(question))
            self._open[question].add_done_callback(lambda _: self._open.pop(question))
        return self._open[question]

    def _patience(self, question: AppraiseWork) -> float:
        return self.wait_seconds if self._last(question) is None else min(KNOWN_SECONDS, self.wait_seconds)

    async def _in_time(self, asking: asyncio.Task[Any], seconds: float) -> bool:
        bound = asyncio.ensure_future(self.clock.sleep(seconds))
        try:
            await asyncio.wait({asking, bound}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            bound.cancel()
        return asking.done()

    async def _watch(self, question: AppraiseWork, asking: asyncio.Task[Heard]) -> None:
        """Ask about a target that is silent until something is heard of it, or it was long ago."""
        target, until = question.target, self.clock.monotonic() + SILENT_SECONDS
        try:
            while not (await asking)[0] and self.clock.monotonic() < until:
                await self.clock.sleep(AGAIN_SECONDS)
                asking = self._asking(question)
        finally:
            self._silence = self._silence.forgotten(target)
            del self._watches[target]

    async def _heard(self, question: AppraiseWork) -> Heard:
        target, sets = question.target, question.parameter_sets
        found: Appraisal | None = None
        seconds = max(ANSWER_SECONDS, self.wait_seconds)
        try:
            found = await self.bus.ask("quantum-gateway", "appraise", question, Appraisal, seconds=seconds)
        except QueryFailed as failed:
            # It is refused there before it is paid for: that is the gateway's to say, to the task itself.
            found = Appraisal(target=target, parameter_sets=sets, shots=question.shots, reason=failed.reason[:2_000])
        except Unanswered:
            return False, None
        except QuireError:
            pass  # It cannot say now.
        else:
            self._learn(question, found)
        self._silence = self._silence.heard(target)
        return True, found

    def _learn(self, question: AppraiseWork, found: Appraisal) -> None:
        if not found.device and not found.paid:
            self._plain |= {question.target}
            return
        self._said.pop(question, None)
        self._said[question] = (self.clock.now(), found)
        if len(self._said) > _KEPT:
            del self._said[next(iter(self._said))]

    def _last(self, question: AppraiseWork) -> Appraisal | None:
        """What was said last of the very same work, marked; None where that is too old."""
        at, found = self._said.get(question, (None, None))
        if at is None or found is None or self.clock.now() - at > BELIEVED:
            return None
        return msgspec.structs.replace(found, said_at=at)
