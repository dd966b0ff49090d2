"""Packed counts as a person reads them: the layout of `quire_quantum.counts`, read without its numeric library."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

from quire_bus.errors import BlobCorrupt

if TYPE_CHECKING:
    from quire_contracts.result import Counts
    from quire_contracts.value import CountsTable


def unpacked(table: CountsTable, blob: bytes) -> tuple[Counts, ...]:
    """One object of counts for each row of the table: outcome to shots, the right-most bit of an outcome is bit 0.

    A blob is uint32 offsets [rows + 1], uint32 tallies [entries] and outcomes [entries, ceil(bits / 8)], little-endian
    but for each outcome, which is one big-endian number.

    Raises:
        BlobCorrupt: if the blob cannot be that.
    """
    head, width = 4 * (table.rows + 1), (table.bits + 7) // 8
    entries, rest = divmod(len(blob) - head, 4 + width)
    if entries < 0 or rest:
        raise BlobCorrupt(f"{len(blob)} bytes do not hold {table.rows} rows of {table.bits}-bit outcomes")
    offsets = struct.unpack_from(f"<{table.rows + 1}I", blob)
    if offsets[0] != 0 or offsets[-1] != entries or any(start > end for start, end in pairwise(offsets)):
        raise BlobCorrupt("the offsets do not describe the entries")
    tallies = struct.unpack_from(f"<{entries}I", blob, head)
    start = head + 4 * entries
    numbers = (int.from_bytes(blob[at : at + width], "big") for at in range(start, start + width * entries, width or 1))
    keys = [f"{number:0{table.bits}b}" for number in numbers] if table.bits else [""] * entries
    pairs = list(zip(keys, tallies, strict=True))
    return tuple(dict(pairs[first:last]) for first, last in pairwise(offsets))
