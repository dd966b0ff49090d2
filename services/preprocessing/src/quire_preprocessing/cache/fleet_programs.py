"""The fleet's programs on the broker: a bucket of references to the content store, one for each skeleton."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Final, Protocol

import msgspec

from quire_contracts.value import BlobRef
from quire_preprocessing.cache.fleet import Bucket
from quire_preprocessing.cache.programs import Run
from quire_preprocessing.storing import ContentStore
from quire_quantum.lift import Program
from quire_quantum.stored_program import EDITION, decode_program, encode_program
from quire_resilience.errors import Permanent, Transient

PROGRAM: Final = "application/vnd.quire.program+msgpack"
BUCKET: Final = "structures"


class StoredProgram(msgspec.Struct, frozen=True):
    """A skeleton's program, encoded by the edition that its key names."""

    program: BlobRef


class Content(ContentStore, Protocol):
    """What is needed of `quire_bus.blobs.Blobs`."""

    async def get(self, ref: BlobRef) -> bytes:
        """The content of a reference; raises Permanent if it is not there."""
        ...


class BrokerPrograms:
    """Programs in the bucket `structures`, kept for days and then parsed again.

    A key names the edition of the encoding too, so that releases with different parsers share no programs. Two
    processes that parse the same skeleton write the same bytes. What cannot be read is as good as not there, and a
    bucket that is full, or away, costs a parse in each process and never a job.
    """

    def __init__(self, bucket: Bucket[StoredProgram], content: Content, run: Run) -> None:
        self._bucket = bucket
        self._content = content
        self._run = run

    async def get(self, sha256: str) -> Program | None:
        """The program of a skeleton, if any process has parsed it."""
        try:
            found = await self._bucket.get(_key(sha256))
            if found is None:
                return None
            data = await self._content.get(found.value.program)
            return await self._run(partial(decode_program, data))
        except (Permanent, Transient, ValueError):
            return None

    async def put(self, sha256: str, program: Program) -> None:
        """Tell every process, if the broker has room for it; idempotent."""
        with suppress(Permanent, Transient):
            content = await self._content.put(encode_program(program), PROGRAM)
            await self._bucket.put(_key(sha256), StoredProgram(content))


def _key(sha256: str) -> str:
    return f"{EDITION}.{sha256}"
