"""Why a program is refused, in words for its author that quote nothing but a short harmless name."""

from __future__ import annotations

import re
from typing import Final

from quire_contracts.value import Problem

_SAFE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,23}")


class ProgramRejected(ValueError):
    """A program that is not accepted. Permanent: the same program is refused again.

    Attributes:
        code: stable and lower-case, for machines: `include-refused`, `loop-too-long`, `syntax`, ...
        reason: what is wrong, in words; never more of the source than one short identifier.
        limit: the limit that was applied, if one was.
        hint: what to do about it.
        line: line of the source, from 1, when known.
    """

    def __init__(
        self, code: str, reason: str, *, limit: str | None = None, hint: str | None = None, line: int | None = None
    ) -> None:
        """Keep the parts apart for whoever reports them."""
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.limit = limit
        self.hint = hint
        self.line = line

    def problem(self, pointer: str = "/program") -> Problem:
        """The same as a contract value, `pointer` being the place of the program in its document."""
        place = f" (line {self.line})" if self.line else ""
        return Problem(pointer=pointer, reason=f"{self.reason}{place}", limit=self.limit, hint=self.hint)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy keep every part."""
        return _rebuild, (self.code, self.reason, self.limit, self.hint, self.line)


def _rebuild(code: str, reason: str, limit: str | None, hint: str | None, line: int | None) -> ProgramRejected:
    return ProgramRejected(code, reason, limit=limit, hint=hint, line=line)


def safe_name(name: str) -> str:
    """`name` in backticks if it is a short plain identifier, else nothing of it."""
    return f"`{name}`" if _SAFE.fullmatch(name) else "a name"
