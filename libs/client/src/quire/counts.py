"""Packed counts (laid out by `quire_quantum.counts`) as dictionaries, with the standard library alone."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

from quire.errors import ServerError

if TYPE_CHECKING:
    from quire_contracts.value import CountsTable


def unpack_counts(table: CountsTable, blob: bytes) -> tuple[dict[str, int], ...]:
    """One dictionary for each row: outcome text (right-most is bit 0) to tally, by rising outcome.

    A blob holds, little-endian and one after the other: uint32 offsets [rows + 1], uint32 tallies [entries], and
    outcomes of ceil(bits / 8) bytes each, every outcome one big-endian number.

    Raises:
        ServerError: if the content does not fit its description.
    """
    width, rows = (table.bits + 7) // 8, table.rows
    head = 4 * (rows + 1)
    entries, rest = divmod(len(blob) - head, 4 + width)
    if entries < 0 or rest:
        raise ServerError(f"{len(blob)} bytes cannot hold {rows} rows of {table.bits}-bit outcomes")
    offsets = struct.unpack_from(f"<{rows + 1}I", blob)
    tallies = struct.unpack_from(f"<{entries}I", blob, head)
    start = head + 4 * entries
    keys = [_text(blob[start + width * k : start + width * (k + 1)], table.bits) for k in range(entries)]
    return tuple(
        dict(zip(keys[first:last], tallies[first:last], strict=True)) for first, last in itertools.pairwise(offsets)
    )


def _text(outcome: bytes, bits: int) -> str:
    return format(int.from_bytes(outcome), f"0{bits}b") if bits else ""
