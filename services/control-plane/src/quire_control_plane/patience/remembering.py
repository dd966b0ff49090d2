"""What replicas saw, told to each other and kept beyond their lives: a small entry of a bucket for each subject.

Beside all work: what was seen is written every few seconds, what others write is heard at once, and all of it is read
at the start and now and then. A hint: what cannot be read or written now is left for the next time.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from quire_bus.errors import Conflict, DecodeError
from quire_control_plane.patience.memory import Memory, key_of
from quire_control_plane.patience.prospects import SUBJECTS
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from quire_bus.buckets import Bucket
    from quire_bus.bus import Bus
    from quire_control_plane.patience.memory import Subject
    from quire_control_plane.patience.prospects import Prospects
    from quire_resilience.clock import Clock

BUCKET: Final = "prospects"
EVERY_SECONDS: Final = 5.0
ROUNDS: Final = 12
"""All is read again after writing so often, for what was said while the broker was away."""

_TRIES: Final = 3
_AT_ONCE: Final = 64
_decoder: Final = msgspec.json.Decoder(Memory)


@dataclass(frozen=True, slots=True)
class Remembering:
    """One replica's share of the memory; of several that write one subject nothing is lost (`memory.merged`)."""

    prospects: Prospects
    bus: Bus
    clock: Clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Read, listen and write until told to stop, and then write once more."""
        async with self.bus.overhear(f"$KV.{BUCKET}.>", self.heard):
            rounds = 0
            while not stopping.is_set():
                if rounds % ROUNDS == 0:
                    await self.read()
                rounds += 1
                await _pause(self.clock, stopping)
                await self.write()

    def heard(self, _subject: str, body: bytes) -> None:
        """Take what somebody writes; what is none is left."""
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            self.prospects.recall(_decoder.decode(body))

    async def read(self) -> None:
        """Take what was written, as far as it can be read now."""
        with suppress(QuireError):
            keys = (await self._bucket.keys())[:SUBJECTS]
            for first in range(0, len(keys), _AT_ONCE):
                for memory, _ in await asyncio.gather(*map(self._entry, keys[first : first + _AT_ONCE])):
                    if memory is not None:
                        self.prospects.recall(memory)

    async def write(self) -> None:
        """Tell what was seen here, as far as it can be written now."""
        for subject in self.prospects.news():
            with suppress(QuireError):
                await self._tell(subject)

    async def _tell(self, subject: Subject) -> None:
        """Merge what is known here into a subject's entry, by compare-and-swap."""
        key = key_of(subject)
        for _ in range(_TRIES):
            theirs, revision = await self._entry(key)
            if theirs is not None and theirs.subject == subject:
                self.prospects.recall(theirs)
            mine = Memory(subject, self.prospects.known(subject))
            with suppress(Conflict):
                if mine != theirs:
                    await self._bucket.put(key, mine, revision)
                self.prospects.told(mine)
                return

    async def _entry(self, key: str) -> tuple[Memory | None, int | None]:
        """An entry and its revision; one that cannot be understood is written anew whatever it is."""
        try:
            stored = await self._bucket.get(key)
        except DecodeError:
            return None, None
        return (None, 0) if stored is None else (stored.value, stored.revision)

    @property
    def _bucket(self) -> Bucket[Memory]:
        return self.bus.bucket(BUCKET, Memory)


async def _pause(clock: Clock, stopping: asyncio.Event) -> None:
    waits = {asyncio.ensure_future(clock.sleep(EVERY_SECONDS)), asyncio.create_task(stopping.wait())}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
