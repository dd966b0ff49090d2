"""A whole Quire whose simulator, or whose scoring, says what is not so: to some tenants, at the first attempt.

`python lying_house.py` takes the arguments of `python -m quire_all_in_one`. Each tenant of `LIES` is told its own lie
by the batched simulator, once for each task; problems of five variables are scored too well, always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from quire_aggregation import evidence
from quire_all_in_one.__main__ import main
from quire_contracts.value import CountsTable, Matrix, inline_blob
from quire_plane.run import Plane
from quire_quantum.counts import PackedCounts, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from quire_contracts.batch import SliceResult

BEYOND = 1_000.0
"""An objective that no problem of these tests has."""

OVERSTATED_VARIABLES = 5
"""Problems of so many variables are scored too well."""


def altered(result: SliceResult, data: bytes) -> SliceResult:
    """One count more than was measured."""
    counts = _read(result, data)
    tallies = counts.tallies.copy()
    tallies[0] += 1
    return _counted(result, PackedCounts(counts.bits, counts.offsets, tallies, counts.outcomes))


def turned(result: SliceResult, data: bytes) -> SliceResult:
    """The last sampling's outcomes read from the wrong end, and said to be right."""
    if result.member.phase != "final":
        return result
    counts = _read(result, data)
    rows = [{outcome[::-1]: tally for outcome, tally in row.items()} for row in unpack(counts)]
    return _counted(result, pack(rows, bits=counts.bits))


def foreign(result: SliceResult, _: bytes) -> SliceResult:
    """Outcomes in another bit order, which is said."""
    return msgspec.structs.replace(result, counts=msgspec.structs.replace(_table(result), bit_order="big"))


def magnified(result: SliceResult, data: bytes) -> SliceResult:
    """Exact values ten times too large."""
    matrix = result.values
    assert matrix is not None
    blob = inline_blob((10.0 * np.frombuffer(data, "<f8")).tobytes(), "application/vnd.quire.float64")
    return msgspec.structs.replace(result, values=Matrix(matrix.rows, matrix.columns, blob))


LIES: dict[str, Callable[[SliceResult, bytes], SliceResult]] = {
    "altered": altered,
    "turned": turned,
    "foreign": foreign,
    "magnified": magnified,
}


def _table(result: SliceResult) -> CountsTable:
    assert result.counts is not None
    return result.counts


def _read(result: SliceResult, data: bytes) -> PackedCounts:
    table = _table(result)
    return PackedCounts.from_bytes(data, rows=table.rows, bits=table.bits)


def _counted(result: SliceResult, counts: PackedCounts) -> SliceResult:
    data = inline_blob(counts.to_bytes(), "application/vnd.quire.counts")
    return msgspec.structs.replace(result, counts=msgspec.structs.replace(_table(result), data=data))


def _lie() -> None:
    honest_run, honest_score = Plane.run, evidence.solve

    async def run(plane, batch, *arguments, **options):
        said = await honest_run(plane, batch, *arguments, **options)
        if said.target != "simulation":
            return said
        results = []
        for result in said.results:
            lie = LIES.get(result.member.tenant) if result.member.attempt == 1 else None
            carrier = result.counts or result.values
            told = lie(result, await plane.blobs.get(carrier.data)) if lie and carrier else result
            results.append(told)
        return msgspec.structs.replace(said, results=tuple(results))

    def solve(counts, observable, scoring, yardstick):
        score = honest_score(counts, observable, scoring, yardstick)
        if score.best is None or yardstick.kind.variables != OVERSTATED_VARIABLES:
            return score
        best = msgspec.structs.replace(score.best, value=-scoring.scale * BEYOND)
        return type(score)(best, score.figures)

    Plane.run, evidence.solve = run, solve  # type: ignore[method-assign]


if __name__ == "__main__":
    _lie()
    main()
