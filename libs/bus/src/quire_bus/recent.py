"""What a process has done lately, for consumers that do not write all of it on the log."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from quire_bus.errors import AlreadyDone

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST: Final = 16_384
"""Marks remembered: some seconds at full load, 4 MiB."""


class RecentMarks:
    """The inbox marks of the last deliveries that this process has done or is committing; the oldest are forgotten."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._marks: dict[str, None] = {}

    def __contains__(self, mark: str | None) -> bool:
        """Whether it is remembered."""
        return mark in self._marks

    @contextmanager
    def doing(self, mark: str) -> Iterator[None]:
        """Remember a mark from now on, unless what is done inside raises.

        Raises:
            AlreadyDone: it is remembered, of a commit under way too: if that fails, its own delivery comes again.
        """
        if mark in self._marks:
            raise AlreadyDone([mark])
        self._marks[mark] = None
        if len(self._marks) > self._most:
            del self._marks[next(iter(self._marks))]
        try:
            yield
        except BaseException:
            self._marks.pop(mark, None)
            raise
