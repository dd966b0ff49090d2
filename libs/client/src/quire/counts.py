"""Packed counts (laid out by `quire_quantum.counts`), unpacked a row at a time, with the standard library alone."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, overload

from quire.errors import QuireError, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from quire_contracts.value import CountsTable

_TALLY_BYTES: Final = 4
_LISTED_BITS: Final = 12
"""Outcomes of up to so many bits are written from a list of them all, which is quicker than one by one."""

_WORD_BITS: Final = 64
_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""Widths of an outcome, in bytes, that the standard library reads many of at once."""


class PackedCounts(Sequence[dict[str, int]]):  # noqa: PLW1641 - a list of dictionaries has no hash either
    """One dictionary for each row, made when it is asked for: outcome text (right-most is bit 0) to tally, rising.

    A million outcomes stay the few megabytes that they travelled as until a row is read. Equal to any sequence of the
    same dictionaries. `arrays` gives all of it to numpy.
    """

    __slots__ = ("_offsets", "_outcomes", "_tallies", "bits")

    def __init__(self, blob: bytes, *, rows: int, bits: int) -> None:
        """Read the layout of a blob, and none of its rows.

        A blob holds, little-endian and one after the other: uint32 offsets [rows + 1], uint32 tallies [entries], and
        outcomes of ceil(bits / 8) bytes each, every outcome one big-endian number.

        Raises:
            ServerError: if the content does not fit its description.
        """
        width, head = (bits + 7) // 8, _TALLY_BYTES * (rows + 1)
        entries, rest = divmod(len(blob) - head, _TALLY_BYTES + width)
        if entries < 0 or rest:
            raise ServerError(f"{len(blob)} bytes cannot hold {rows} rows of {bits}-bit outcomes")
        view, end = memoryview(blob), head + _TALLY_BYTES * entries
        self.bits = bits
        self._offsets = _integers(view[:head], "little", "I")
        self._tallies = _integers(view[head:end], "little", "I")
        self._outcomes = view[end:]
        rising = all(first <= last for first, last in pairwise(self._offsets))
        if self._offsets[0] != 0 or self._offsets[-1] != entries or not rising:
            raise ServerError("the counts' offsets do not describe their entries")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, place: int) -> dict[str, int]: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[dict[str, int], ...]: ...
    def __getitem__(self, place: int | slice) -> dict[str, int] | tuple[dict[str, int], ...]:
        if isinstance(place, slice):
            return tuple(self._row(row) for row in range(*place.indices(len(self))))
        return self._row(range(len(self))[place])

    def __iter__(self) -> Iterator[dict[str, int]]:
        return map(self._row, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return f"PackedCounts({len(self)} rows of {self.bits} bits, {len(self._tallies)} entries)"

    def arrays(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint64]]:
        """Offsets [rows + 1], tallies [entries] and outcomes [entries] (bit i at 2**i) as numpy arrays.

        Row r has the entries offsets[r] up to offsets[r + 1], outcomes rising.

        Raises:
            QuireError: for outcomes of more than 64 bits, or where numpy is not installed.
        """
        if self.bits > _WORD_BITS:
            raise QuireError(f"outcomes of {self.bits} bits do not fit a number", next_step="read the rows one by one")
        try:
            import numpy as np
        except ImportError as error:
            raise QuireError("numpy is not installed", next_step="read the rows one by one") from error
        width = (self.bits + 7) // 8
        octets = np.zeros((len(self._tallies), 8), np.uint8)
        octets[:, 8 - width :] = np.frombuffer(self._outcomes, np.uint8).reshape(-1, width) if width else 0
        outcomes = octets.view(">u8").reshape(-1).astype(np.uint64)
        return np.frombuffer(self._offsets, np.uint32), np.frombuffer(self._tallies, np.uint32), outcomes

    def _row(self, row: int) -> dict[str, int]:
        first, last = self._offsets[row], self._offsets[row + 1]
        width = (self.bits + 7) // 8
        numbers = _numbers(self._outcomes[first * width : last * width], width, last - first)
        if self.bits <= _LISTED_BITS:
            keys = map(_all_outcomes(self.bits).__getitem__, numbers)
        else:
            keys = map(f"{{:0{self.bits}b}}".format, numbers)
        return dict(zip(keys, self._tallies[first:last], strict=True))


def counts_of(table: CountsTable, blob: bytes) -> PackedCounts:
    """The counts of a table whose content is `blob`.

    Raises:
        ServerError: if the content does not fit its description.
    """
    return PackedCounts(blob, rows=table.rows, bits=table.bits)


def written_out(value: Any) -> list[dict[str, int]]:
    """The counts as plain JSON values, for encoders that ask what to make of them."""
    if isinstance(value, PackedCounts):
        return list(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _numbers(octets: memoryview, width: int, entries: int) -> Sequence[int]:
    """Big-endian numbers of `width` bytes each."""
    code = _CODES.get(width)
    if code is not None:
        return _integers(octets, "big", code)
    return [int.from_bytes(octets[at : at + width]) for at in range(0, width * entries, width or 1)] or [0] * entries


def _integers(octets: memoryview, order: str, code: str) -> array[int]:
    numbers = array(code)
    numbers.frombytes(octets)
    if sys.byteorder != order:
        numbers.byteswap()
    return numbers


@lru_cache(maxsize=_LISTED_BITS + 1)
def _all_outcomes(bits: int) -> tuple[str, ...]:
    return tuple(f"{number:0{bits}b}" if bits else "" for number in range(2**bits))
