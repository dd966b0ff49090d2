"""Compiled circuits, kept by everything that they depend on and by nothing else."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class CompileKey:
    """What a compiled circuit depends on.

    structure: the structure's sha256, measurement bases included.
    settings: the compiler's settings, written out.
    calibration: the calibration it was compiled for; a new one makes the old entry unreachable.
    """

    structure: str
    backend: str
    settings: str
    calibration: str


class CompileCache(Generic[C]):
    """A bounded memory of compilations, least recently used out first. Thread-safe; nothing is compiled twice at once.

    capacity: how many compilations are kept.
    """

    def __init__(self, capacity: int) -> None:
        """Empty."""
        self._capacity = capacity
        self._lock = Lock()
        self._entries: OrderedDict[CompileKey, Future[C]] = OrderedDict()

    def get(self, key: CompileKey, make: Callable[[], C]) -> tuple[C, bool]:
        """The compilation of `key`, and whether it was there already (or being made by another thread).

        Raises:
            Whatever `make` raises, to everybody who waits for it; it is tried again the next time.
        """
        mine: Future[C] = Future()
        with self._lock:
            entry = self._entries.setdefault(key, mine)
            self._entries.move_to_end(key)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
        if entry is not mine:
            return entry.result(), True
        try:
            mine.set_result(make())
        except BaseException as error:
            with self._lock:
                if self._entries.get(key) is mine:
                    del self._entries[key]
            mine.set_exception(error)
            raise
        return mine.result(), False

    def __len__(self) -> int:
        """Compilations kept."""
        return len(self._entries)
