"""What operators have stopped: the kill switches, known to within a second, or known not to be known."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from typing import TYPE_CHECKING, Final

from quire_contracts.breaker import TargetState
from quire_contracts.switch import SWITCH_KEYS, Switch
from quire_contracts.value import Fault
from quire_resilience.errors import QuireError, Transient

if TYPE_CHECKING:
    from quire_bus.buckets import Bucket
    from quire_bus.bus import Bus
    from quire_resilience.clock import Clock

POLL_SECONDS: Final = 0.4
FRESH_SECONDS: Final = 0.8
"""What was read longer ago is not believed before a call: a switch that is turned holds within a second."""

SOON_SECONDS: Final = 0.02
ANSWER_SECONDS: Final = 1.0
BUCKET: Final = "switches"
SWITCHED_OFF: Final = "switched-off"
"""The code of what a switch stops."""

_SUBJECT: Final = f"$KV.{BUCKET}.{SWITCH_KEYS}>"
UNREADABLE: Final = Fault(
    kind="transient",
    code="switches-unreadable",
    reason="nobody can say at present whether this work is switched off, so it does not begin",
    next_step="Nothing: it begins when the switches can be read again.",
    retryable=True,
)


class SwitchesUnreadable(Transient):
    """The switches cannot be read: whatever they may stop must not begin."""

    def __init__(self) -> None:
        super().__init__(UNREADABLE.reason, code=UNREADABLE.code, retry_after=ANSWER_SECONDS)


class Switches:
    """The switches as this process knows them.

    changed: called when one was turned.   revision: of the newest turn that is known, -1 where that is not sure.
    What was read may be asked for from any thread.
    """

    def __init__(self, bucket: Bucket[Switch], clock: Clock, changed: Callable[[], None] = lambda: None) -> None:
        """Nothing is known yet."""
        self._bucket = bucket
        self._clock = clock
        self._changed = changed
        self._off: tuple[Switch, ...] = ()
        self.revision = -1
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether what is known is young enough to begin something that a switch may stop."""
        return self._clock.monotonic() - self._read_at <= FRESH_SECONDS

    def stopped(self, target: str, tenants: Collection[str] = ()) -> Switch | None:
        """The switch that stops new work of any of these tenants at a target, as far as is known; None if none does."""
        return next((switch for switch in self._off if switch.stops(target, tenants)), None)

    async def asked(self, target: str, tenants: Collection[str] = ()) -> Switch | None:
        """As `stopped`, by what stood in the bucket at most `FRESH_SECONDS` ago.

        Raises:
            SwitchesUnreadable: nobody knows what stands there.
        """
        if not self.is_fresh:
            try:
                await self.read()
            except QuireError as error:
                raise SwitchesUnreadable from error
        return self.stopped(target, tenants)

    async def read(self) -> None:
        """Read what stands in the bucket now; where nothing was written since, that is one question.

        Who asks while it is being read gets the same answer.

        Raises:
            QuireError: it cannot be read, or not in time; what was known stays, and ages.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="switches read")
            self._reading.add_done_callback(_seen)
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        asked_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                revision = await self._bucket.revision()
                if revision != self.revision:
                    await self._read_all(revision)
        except TimeoutError:
            raise Transient("the switches were not read in time", code="no-answer") from None
        self._read_at = asked_at

    async def _read_all(self, revision: int) -> None:
        found = await asyncio.gather(*map(self._bucket.get, await self._bucket.keys(SWITCH_KEYS)))
        stored = [each for each in found if each is not None]
        newest, whole = max((each.revision for each in stored), default=0), len(stored) == len(found)
        if whole and newest < revision:
            raise Transient("a replica of the broker is behind", code="stale")
        off = tuple(each.value for each in stored if each.value.state == "off")
        turned, self._off = off != self._off, off
        self.revision = revision if whole else -1  # beside a deleted one nobody can tell whether all is new: read on
        if turned:
            self._changed()


def _seen(reading: asyncio.Task[None]) -> None:
    if not reading.cancelled():
        reading.exception()  # who asked for it has it, if anybody still waits


def fault_of(switch: Switch) -> Fault:
    """Why the work of a switch does not begin."""
    return Fault(
        kind="offline",
        code=SWITCHED_OFF,
        reason=f"{switch.what} is switched off: {switch.reason}"[:2_000],
        next_step="Nothing: it waits until the switch is on again, or goes elsewhere where the job allows it.",
        retryable=True,
    )


def switched_off(switch: Switch, target: str) -> TargetState:
    """A target that a switch stops, as one that takes no work; nobody knows until when."""
    reason = fault_of(switch).reason
    return TargetState(target=target, state="down", since=switch.at, reason_code=SWITCHED_OFF, reason=reason)


@contextlib.asynccontextmanager
async def switches_of(bus: Bus, clock: Clock, changed: Callable[[], None] = lambda: None) -> AsyncIterator[Switches]:
    """Keep the switches known while the block runs."""
    switches, stopping = Switches(bus.bucket(BUCKET, Switch), clock, changed), asyncio.Event()
    watching = asyncio.create_task(watch(switches, bus, clock, stopping), name="switches")
    try:
        yield switches
    finally:
        stopping.set()
        await asyncio.gather(watching, return_exceptions=True)


async def watch(switches: Switches, bus: Bus, clock: Clock, stopping: asyncio.Event) -> None:
    """Keep the switches known until told to stop: read when one is heard to be turned, and some times a second.

    A turn is heard a moment before the bucket has it, so what is not there yet is looked for again soon.
    """
    word = asyncio.Event()
    async with bus.overhear(_SUBJECT, lambda _subject, _body: word.set()):
        while not stopping.is_set():
            heard, before = word.is_set(), switches.revision
            word.clear()
            with contextlib.suppress(QuireError):
                await switches.read()
            pause = SOON_SECONDS if heard and switches.revision == before else POLL_SECONDS
            waiting = [asyncio.ensure_future(each) for each in (clock.sleep(pause), word.wait(), stopping.wait())]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()
