"""Writing a cloud's ledger: nothing is answered before the lines that it may show are on the disk."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Self

import msgspec

from quire_emulator.ledger import FILE, whole_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from quire_emulator.entries import Entry


class LedgerWriter:
    """Appends lines; those that are written while the disk is busy go there together.

    folder: where the ledger lies; it is made if it is not there. A torn last line is cut off.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        whole = whole_bytes(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.ftruncate(self._file, whole)
        os.lseek(self._file, whole, os.SEEK_SET)
        self._encoder = msgspec.json.Encoder()
        self._waiting = bytearray()
        self._written = self._on_disk = 0
        self._flush: asyncio.Task[None] | None = None

    def write(self, *entries: Entry) -> None:
        """Append; they are on the disk once `settled` has returned."""
        for entry in entries:
            self._waiting += self._encoder.encode(entry)
            self._waiting += b"\n"
        self._written += len(entries)

    async def settled(self) -> None:
        """Return once all that was written so far is on the disk."""
        goal = self._written
        while self._on_disk < goal:
            if self._flush is None or self._flush.done():
                self._flush = asyncio.create_task(self._to_disk())
            await asyncio.shield(self._flush)

    async def _to_disk(self) -> None:
        lines, self._waiting, goal = bytes(self._waiting), bytearray(), self._written
        await asyncio.to_thread(self._append, lines)
        self._on_disk = goal

    def _append(self, lines: bytes) -> None:
        view = memoryview(lines)
        while view:
            view = view[os.write(self._file, view) :]
        os.fdatasync(self._file)

    def close(self) -> None:
        """Write what waits, and let the file go."""
        self._append(bytes(self._waiting))
        self._waiting.clear()
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
