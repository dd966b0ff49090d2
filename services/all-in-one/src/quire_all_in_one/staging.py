"""Where the embedded broker stages an atomic batch: in memory, because a batch that is not committed is nothing yet.

For a stream with one replica in files the broker makes a small store of its own for each batch, with five synchronous
writes, and deletes it at the commit: 1.1 ms here, of which nothing stays (nats-server 2.15.1; replicated streams are
staged in memory anyway). What is committed goes to the stream's files as before. A broker that is killed in the middle
of a commit finishes it from the staged batch, which outlives it in the memory file system.

A layout that this module does not know is left as it is; the broker then stages in files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from quire_contracts.topology import STREAM

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder only this user can enter is made in it


class Staging:
    """The link from the log's staging folder into memory, for the broker whose JetStream folder is `store`."""

    def __init__(self, store: Path, memory: Path = _MEMORY) -> None:
        self._stream = store / "jetstream" / "$G" / "streams" / STREAM.name
        name = hashlib.sha256(str(store.absolute()).encode()).hexdigest()[:16]
        self._target = memory / f"quire-{os.getuid() if hasattr(os, 'getuid') else 0}-{name}"

    def ensure(self) -> bool:
        """Make the link where it is missing, as after a start of the broker, which clears it away; whether it stands.

        A folder that holds a batch under way is left for the next call.
        """
        link = self._stream / "batches"
        try:
            if not self._target.is_dir():
                self._target.mkdir(mode=0o700)
            if not link.is_symlink() and self._stream.is_dir():
                with contextlib.suppress(FileNotFoundError):
                    link.rmdir()
                link.symlink_to(self._target, target_is_directory=True)
        except OSError:
            return False
        return link.is_symlink()

    def clear(self) -> None:
        """Give the memory back, when the broker is gone."""
        shutil.rmtree(self._target, ignore_errors=True)
