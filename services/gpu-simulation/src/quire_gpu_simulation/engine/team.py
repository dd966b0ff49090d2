"""Threads that take turns between batches, one block of rows at a time, and never hold more memory than allowed."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Run:
    """A batch's blocks: the next to be taken, and how many are not done."""

    def __init__(self, blocks: Sequence[Callable[[], None]], size: int) -> None:
        self.blocks = blocks
        self.size = size
        self.next = 0
        self.left = len(blocks)
        self.error: BaseException | None = None
        self.done = threading.Event()


class Team:
    """So many threads, started with the first work.

    Batches that are run at the same time get blocks in turn, however long each is, so a small one never waits for the
    whole of a large one. A block whose bytes do not fit beside those at work waits; one alone is always run.
    """

    def __init__(self, threads: int, memory_bytes: int) -> None:
        self.threads = threads
        self._memory = memory_bytes
        self._used = 0
        self._waiting: deque[_Run] = deque()
        self._changed = threading.Condition()
        self._members: list[threading.Thread] = []
        self._closed = False

    def run(self, blocks: Sequence[Callable[[], None]], size: int) -> None:
        """Do all blocks, `size` bytes each, and return when none is left.

        Raises:
            RuntimeError: the team is closed.
            Whatever a block raises first; blocks not begun by then are not done.
        """
        if not blocks:
            return
        run = _Run(blocks, size)
        with self._changed:
            self._start()
            self._waiting.append(run)
            self._changed.notify_all()
        run.done.wait()
        if run.error is not None:
            raise run.error

    def close(self) -> None:
        """Let the threads end after the blocks that they are at; batches that wait fail."""
        with self._changed:
            self._closed = True
            for run in self._waiting:
                run.error = RuntimeError("the engine is closed")
                run.done.set()
            self._waiting.clear()
            self._changed.notify_all()
        for member in self._members:
            member.join()

    def _start(self) -> None:
        if self._closed:
            raise RuntimeError("the engine is closed")
        while len(self._members) < self.threads:
            member = threading.Thread(target=self._work, name=f"engine-{len(self._members)}", daemon=True)
            self._members.append(member)
            member.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                while (run := self._turn()) is None and not self._closed:
                    self._changed.wait()
                if run is None:
                    return
                block = run.blocks[run.next]
                run.next += 1
                self._used += run.size
                if run.next < len(run.blocks):
                    self._waiting.append(run)
            error: BaseException | None = None
            try:
                block()
            except BaseException as raised:  # noqa: BLE001 - handed to who waits for the run
                error = raised
            with self._changed:
                self._finish(run, error)

    def _turn(self) -> _Run | None:
        """The batch that has waited longest among those whose next block fits, taken out of the queue."""
        for run in self._waiting:
            if not self._used or self._used + run.size <= self._memory:
                self._waiting.remove(run)
                return run
        return None

    def _finish(self, run: _Run, error: BaseException | None) -> None:
        self._used -= run.size
        run.left -= 1
        if error is not None and run.error is None:
            run.error = error
            run.left -= len(run.blocks) - run.next
            run.next = len(run.blocks)
            if run in self._waiting:
                self._waiting.remove(run)
        if not run.left:
            run.done.set()
        self._changed.notify_all()
