"""Measurement counts as packed arrays: small on the wire, quick to merge, dictionaries only for who asks for them.

A blob holds, one after the other and little-endian: `offsets`, uint32 [rows + 1]; `tallies`, uint32 [entries]; and
`outcomes`, uint8 [entries, ceil(bits / 8)], each outcome one big-endian number. Row r owns entries offsets[r] up to
offsets[r + 1], sorted by outcome, each outcome once and never with a tally of zero: equal counts give equal bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

BitOrder = Literal["little", "big"]
"""Where bit 0 stands in an outcome's text: `little` is Qiskit's order (right-most), `big` is Braket's (left-most)."""

_WORD_BITS: Final = 64
_LARGEST_TALLY: Final = 2**32 - 1


class CountsError(ValueError):
    """Counts, or their bytes, that do not fit their description."""


@dataclass(frozen=True, eq=False)
class PackedCounts:
    """Counts of `rows` circuit runs over outcomes of `bits` bits, in the layout of the module's docstring.

    The arrays are read-only. Two values are equal when their rows, bits and counts are.
    """

    bits: int
    offsets: NDArray[np.uint32]
    tallies: NDArray[np.uint32]
    outcomes: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Refuse later changes to the arrays."""
        for array in (self.offsets, self.tallies, self.outcomes):
            array.flags.writeable = False

    @property
    def rows(self) -> int:
        """How many circuit runs."""
        return len(self.offsets) - 1

    @property
    def shots(self) -> NDArray[np.int64]:
        """Total tally of each row, int64 [rows]."""
        totals = np.zeros(len(self.tallies) + 1, np.int64)
        np.cumsum(self.tallies, out=totals[1:])
        edges = totals[self.offsets]
        return edges[1:] - edges[:-1]

    @property
    def row_of_entry(self) -> NDArray[np.int64]:
        """The row of each entry, int64 [entries]."""
        edges = self.offsets.astype(np.int64)
        return np.repeat(np.arange(self.rows), edges[1:] - edges[:-1])

    def words(self) -> NDArray[np.uint64]:
        """Outcomes as uint64 [entries, ceil(bits / 64)], at least one word; word 0 holds bits 0 to 63."""
        return _words(self.outcomes)

    def to_bytes(self) -> bytes:
        """The blob; `from_bytes` with the same rows and bits reads it back."""
        return b"".join(
            (self.offsets.astype("<u4").tobytes(), self.tallies.astype("<u4").tobytes(), self.outcomes.tobytes())
        )

    @classmethod
    def from_bytes(cls, blob: bytes, *, rows: int, bits: int) -> PackedCounts:
        """Read a blob and check it.

        Raises:
            CountsError: when the length, the offsets, the order of the outcomes or an outcome's width is wrong.
        """
        width = _width(bits)
        head = 4 * (rows + 1)
        if rows < 0 or bits < 0 or len(blob) < head or (len(blob) - head) % (4 + width):
            raise CountsError(f"{len(blob)} bytes cannot hold {rows} rows of {bits}-bit outcomes")
        entries = (len(blob) - head) // (4 + width)
        offsets = np.frombuffer(blob, "<u4", rows + 1).astype(np.uint32)
        tallies = np.frombuffer(blob, "<u4", entries, head).astype(np.uint32)
        outcomes = np.frombuffer(blob, np.uint8, entries * width, head + 4 * entries).reshape(entries, width).copy()
        if offsets[0] != 0 or offsets[-1] != entries or np.any(np.diff(offsets.astype(np.int64)) < 0):
            raise CountsError("the offsets do not describe the entries")
        if bits % 8 and entries and outcomes[:, 0].max() >> (bits % 8):
            raise CountsError(f"an outcome has more than {bits} bits")
        counts = cls(bits, offsets, tallies, outcomes)
        if not _is_canonical(counts):
            raise CountsError("the entries are not sorted, not unique, or have a tally of zero")
        return counts

    def __eq__(self, other: object) -> bool:
        """Equal rows, bits and counts."""
        if not isinstance(other, PackedCounts):
            return NotImplemented
        return self.bits == other.bits and self.rows == other.rows and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        """Agrees with `==`."""
        return hash((self.bits, self.to_bytes()))


def pack(rows: Sequence[Mapping[str, int]], *, bits: int, bit_order: BitOrder = "little") -> PackedCounts:
    """Pack dictionaries of outcome text to tally, one for each row.

    Keys have exactly `bits` characters `0` or `1` (spaces between registers are dropped) in `bit_order`; the result is
    always in Qiskit's order. Tallies of zero are left out.

    Raises:
        CountsError: for a key of another width or alphabet, or a tally outside of 0 to 2**32 - 1.
    """
    keys = [key.replace(" ", "") for row in rows for key in row]
    text = "".join(keys)
    if any(len(key) != bits for key in keys) or text.strip("01"):
        raise CountsError(f"every outcome must be {bits} characters of 0 and 1")
    digits = (np.frombuffer(text.encode(), np.uint8) - ord("0")).reshape(len(keys), bits)
    row_of_entry = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    tallies = np.array([tally for row in rows for tally in row.values()], dtype=np.int64)
    return _compact(row_of_entry, _pack_digits(digits, bit_order), tallies, rows=len(rows), bits=bits)


def pack_samples(samples: Sequence[NDArray[np.generic]], *, bit_order: BitOrder = "little") -> PackedCounts:
    """Pack single shots, one array of 0 and 1 of shape [shots, bits] for each row.

    In `little` order the last column is bit 0, in `big` order the first one is (as Braket's `measurements` are).

    Raises:
        CountsError: when the rows differ in width.
    """
    widths = {array.shape[1] for array in samples}
    if len(widths) > 1:
        raise CountsError("rows differ in their number of bits")
    bits = widths.pop() if widths else 0
    digits = np.concatenate([array.astype(np.uint8) for array in samples]) if samples else np.zeros((0, 0), np.uint8)
    row_of_entry = np.repeat(np.arange(len(samples)), [len(array) for array in samples])
    ones = np.ones(len(digits), dtype=np.int64)
    return _compact(row_of_entry, _pack_digits(digits, bit_order), ones, rows=len(samples), bits=bits)


def pack_integers(rows: Sequence[tuple[NDArray[np.integer], NDArray[np.integer]]], *, bits: int) -> PackedCounts:
    """Pack pairs of outcome numbers and tallies, one pair of equally long arrays for each row; at most 64 bits.

    An outcome's number has bit i of the outcome at 2**i. The same outcome may stand several times in a row.

    Raises:
        CountsError: for more than 64 bits, an outcome out of range or a tally outside of 0 to 2**32 - 1.
    """
    if bits > _WORD_BITS:
        raise CountsError(f"numbers hold at most {_WORD_BITS} bits, not {bits}")
    outcomes = np.concatenate(
        [np.asarray(numbers).astype(np.uint64) for numbers, _ in rows] or [np.zeros(0, np.uint64)]
    )
    tallies = np.concatenate([np.asarray(tally).astype(np.int64) for _, tally in rows] or [np.zeros(0, np.int64)])
    if len(outcomes) != len(tallies) or (bits < _WORD_BITS and np.any(outcomes >> np.uint64(bits))):
        raise CountsError(f"an outcome has more than {bits} bits, or lacks its tally")
    row_of_entry = np.repeat(np.arange(len(rows)), [len(numbers) for numbers, _ in rows])
    octets = outcomes.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - _width(bits) :]
    return _compact(row_of_entry, octets, tallies, rows=len(rows), bits=bits)


def unpack(counts: PackedCounts) -> list[dict[str, int]]:
    """One dictionary for each row: outcome text in Qiskit's order to tally, by rising outcome."""
    digits = np.unpackbits(counts.outcomes, axis=1)[:, 8 * _width(counts.bits) - counts.bits :]
    text = (digits + ord("0")).tobytes().decode()
    keys = (
        [text[at : at + counts.bits] for at in range(0, len(text), counts.bits)] if counts.bits else [""] * len(digits)
    )
    pairs = list(zip(keys, counts.tallies.tolist(), strict=True))
    edges = counts.offsets.tolist()
    return [dict(pairs[start:end]) for start, end in pairwise(edges)]


def merge(left: PackedCounts, right: PackedCounts) -> PackedCounts:
    """Add two tables of the same shape row by row: associative, commutative, totals kept.

    Raises:
        CountsError: when rows or bits differ, or a tally exceeds 2**32 - 1.
    """
    if left.rows != right.rows or left.bits != right.bits:
        raise CountsError(f"cannot add {right.rows} rows of {right.bits} bits to {left.rows} rows of {left.bits} bits")
    return _compact(
        np.concatenate((left.row_of_entry, right.row_of_entry)),
        np.concatenate((left.outcomes, right.outcomes)),
        np.concatenate((left.tallies, right.tallies)).astype(np.int64),
        rows=left.rows,
        bits=left.bits,
    )


def concatenate(tables: Sequence[PackedCounts]) -> PackedCounts:
    """Put the rows of several tables after each other.

    Raises:
        CountsError: when the outcomes differ in width or there is no table.
    """
    if len({table.bits for table in tables}) != 1:
        raise CountsError("only tables of one width, at least one, can stand after each other")
    starts = np.cumsum([0, *(len(table.tallies) for table in tables)])
    offsets = [table.offsets[:-1] + start for table, start in zip(tables, starts[:-1], strict=True)]
    return PackedCounts(
        tables[0].bits,
        np.concatenate((*offsets, [starts[-1]])).astype(np.uint32),
        np.concatenate([table.tallies for table in tables]),
        np.concatenate([table.outcomes for table in tables]),
    )


def select_rows(counts: PackedCounts, rows: Iterable[int]) -> PackedCounts:
    """The named rows, in the order named."""
    chosen = np.fromiter(rows, dtype=np.int64)
    starts, ends = counts.offsets[chosen].astype(np.int64), counts.offsets[chosen + 1].astype(np.int64)
    lengths = ends - starts
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    entries = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    return PackedCounts(counts.bits, offsets.astype(np.uint32), counts.tallies[entries], counts.outcomes[entries])


def _width(bits: int) -> int:
    return (bits + 7) // 8


def _words(outcomes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    width = outcomes.shape[1]
    padded = max(8, -(-width // 8) * 8)
    octets = np.zeros((len(outcomes), padded), np.uint8)
    octets[:, padded - width :] = outcomes
    return octets.view(">u8").astype(np.uint64)[:, ::-1]


def _pack_digits(digits: NDArray[np.uint8], bit_order: BitOrder) -> NDArray[np.uint8]:
    """Digits 0 and 1 [entries, bits] as big-endian octets [entries, ceil(bits / 8)]."""
    entries, bits = digits.shape
    padded = np.zeros((entries, 8 * _width(bits)), np.uint8)
    padded[:, padded.shape[1] - bits :] = digits if bit_order == "little" else digits[:, ::-1]
    return np.packbits(padded, axis=1)


def _compact(
    row_of_entry: NDArray[np.integer],
    outcomes: NDArray[np.uint8],
    tallies: NDArray[np.int64],
    *,
    rows: int,
    bits: int,
) -> PackedCounts:
    """Sort entries by row and outcome and add the tallies of equal ones."""
    if len(tallies) and tallies.min() < 0:
        raise CountsError("a tally is negative")
    kept = tallies > 0
    row_of_entry, outcomes, tallies = row_of_entry[kept], outcomes[kept], tallies[kept]
    words = _words(outcomes)
    if not _follows(row_of_entry, words, strictly=False).all():
        order = np.lexsort((*words.T, row_of_entry))
        row_of_entry, outcomes, tallies, words = row_of_entry[order], outcomes[order], tallies[order], words[order]
    first = np.ones(len(words), bool)
    first[1:] = _follows(row_of_entry, words, strictly=True)
    starts = np.flatnonzero(first)
    sums = np.add.reduceat(tallies, starts) if len(starts) else tallies
    if len(sums) and sums.max() > _LARGEST_TALLY:
        raise CountsError(f"a tally exceeds {_LARGEST_TALLY}")
    entries_per_row = np.bincount(row_of_entry[starts], minlength=rows)
    offsets = np.concatenate(([0], np.cumsum(entries_per_row))).astype(np.uint32)
    return PackedCounts(bits, offsets, sums.astype(np.uint32), np.ascontiguousarray(outcomes[starts]))


def _follows(row_of_entry: NDArray[np.integer], words: NDArray[np.uint64], *, strictly: bool) -> NDArray[np.bool_]:
    """Whether each entry but the first comes after the one before it, by row and then by outcome."""
    after = np.full(max(len(words) - 1, 0), not strictly)
    for key in (*words.T, row_of_entry):
        after = (key[1:] > key[:-1]) | ((key[1:] == key[:-1]) & after)
    return after


def _is_canonical(counts: PackedCounts) -> bool:
    return bool(_follows(counts.row_of_entry, counts.words(), strictly=True).all() and counts.tallies.all())
