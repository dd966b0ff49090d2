"""A task's whole answer as arrays, read no sooner than a check or the score asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quire_aggregation.question import Question
from quire_aggregation.scoring import Score, score
from quire_aggregation.solving import solve
from quire_aggregation.tails import tail_means
from quire_aggregation.yardstick import Yardstick
from quire_contracts.kernel import Gram
from quire_contracts.task import Scoring, scores_samples
from quire_contracts.value import CountsTable, Matrix
from quire_quantum.counts import CountsError, PackedCounts
from quire_quantum.observables import expectation

Array = NDArray[np.float64]

_TALLY_BYTES = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """A slice's answer with its data at hand: rows `first` to `first + rows` of the task.

    data: of the counts, or of the values.   error_data: of `std_errors`, which stand beside estimated values.
    scales: of noise that it was measured at; 0 where nothing was mitigated.
    rounding: up to which exact values may be off; None where they are estimates, or noise was simulated.
    """

    first: int
    rows: int
    counts: CountsTable | None
    values: Matrix | None
    data: bytes
    std_errors: Matrix | None = None
    error_data: bytes = b""
    scales: int = 0
    rounding: float | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of a task's answer. `pieces` stand in row order.

    `yardstick` is the loop's problem, `kernel` the matrix that the values fill. The properties assume what the checks
    before them have found; `checks.CHECKS` asks in that order.
    """

    question: Question
    total_rows: int
    pieces: tuple[Piece, ...]
    scoring: Scoring | None = None
    yardstick: Yardstick | None = None
    kernel: Gram | None = None

    @property
    def sampled(self) -> bool:
        """Whether shots were asked for; exact values otherwise."""
        return self.question.shots is not None

    @cached_property
    def reduced(self) -> bool:
        """Whether expectation values came in place of the samples that they were estimated from.

        Samples that are to be scored, or that nobody asked an observable of, have to come themselves.
        """
        return (
            self.sampled
            and not scores_samples(self.scoring)
            and self.question.grouping is not None
            and any(piece.std_errors is not None for piece in self.pieces)
        )

    @property
    def counted(self) -> bool:
        """Whether the answer is counts."""
        return self.sampled and not self.reduced

    @cached_property
    def counts(self) -> PackedCounts:
        """All counts, row-major over [parameter set, measurement group].

        Raises:
            CountsError: if the bytes are not what their table says.
        """
        if len(self.pieces) == 1 and self.pieces[0].counts is not None:
            table = self.pieces[0].counts
            return PackedCounts.from_bytes(self.pieces[0].data, rows=table.rows, bits=table.bits)
        return _laid_together([(piece.counts, piece.data) for piece in self.pieces if piece.counts is not None])

    @cached_property
    def estimates(self) -> tuple[Array, Array] | None:
        """Values and standard errors, both [parameter sets, observables]; None for plain counts."""
        question = self.question
        if question.grouping is None:
            return None
        if self.counted and self.scoring is not None and self.scoring.cvar is not None:
            return tail_means(self.counts, question.observables[0], self.scoring.cvar)
        if self.counted:
            return expectation(self.counts, question.observables, question.grouping)
        values = self._numbers([piece.data for piece in self.pieces])
        errors = self._numbers([piece.error_data for piece in self.pieces]) if self.reduced else np.zeros_like(values)
        return values, errors

    @cached_property
    def score(self) -> Score | None:
        """The score of the samples, or of earlier tasks' best where there are none; None where nothing is scored."""
        if self.scoring is None or not scores_samples(self.scoring):
            return None
        counts, observable = self.counts if self.counted else None, self.question.observables[0]
        if self.yardstick is None:
            return score(counts, observable, self.scoring)
        return solve(counts, observable, self.scoring, self.yardstick)

    @property
    def mitigated(self) -> bool:
        """Whether errors were taken out of it, by which an estimate may come to lie beyond what can be."""
        return any(piece.scales for piece in self.pieces)

    @property
    def rounding(self) -> float | None:
        """Up to which its values may be off by rounding; None where they are not exact ones of pure states."""
        known = [piece.rounding for piece in self.pieces]
        exact = [each for each in known if each is not None]
        return None if self.sampled or len(exact) < len(known) else max(exact)

    @property
    def shots(self) -> int:
        """All shots that were run, over parameter sets, measurement groups and scales of noise."""
        if self.reduced:
            return sum(piece.rows * max(1, piece.scales) for piece in self.pieces) * self.shots_of_a_set
        return int(self.counts.shots.sum()) if self.sampled else 0

    @property
    def shots_of_a_set(self) -> int:
        """Shots of one parameter set, over measurement groups, at one scale of noise."""
        return self.question.groups * (self.question.shots or 0)

    def _numbers(self, data: Sequence[bytes]) -> Array:
        return np.frombuffer(b"".join(data), "<f8").reshape(-1, len(self.question.observables))


def _laid_together(tables: Sequence[tuple[CountsTable, bytes]]) -> PackedCounts:
    """The rows of several tables of one width after each other, read and checked as one.

    Raises:
        CountsError: if the bytes of one are not what its table says.
    """
    offsets, tallies, outcomes = [np.zeros(1, "<u4")], [], []
    start = rows = 0
    for table, data in tables:
        head = _TALLY_BYTES * (table.rows + 1)
        entries, rest = divmod(len(data) - head, _TALLY_BYTES + (table.bits + 7) // 8)
        own = np.frombuffer(data, "<u4", table.rows + 1) if entries >= 0 else offsets[0]
        if rest or own[0] != 0 or own[-1] != entries:
            raise CountsError(f"{len(data)} bytes cannot hold {table.rows} rows of {table.bits}-bit outcomes")
        split = head + _TALLY_BYTES * entries
        offsets.append(own[1:] + np.uint32(start))
        tallies.append(data[head:split])
        outcomes.append(data[split:])
        start, rows = start + entries, rows + table.rows
    blob = b"".join((np.concatenate(offsets).tobytes(), *tallies, *outcomes))
    return PackedCounts.from_bytes(blob, rows=rows, bits=tables[0][0].bits)
