"""A task's whole answer as arrays, read no sooner than a check or the score asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quire_aggregation.question import Question
from quire_aggregation.scoring import Score, score
from quire_contracts.task import Scoring
from quire_contracts.value import CountsTable, Matrix
from quire_quantum.counts import PackedCounts, concatenate
from quire_quantum.observables import expectation

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Piece:
    """A slice's answer with its data at hand: rows `first` to `first + rows` of the task."""

    first: int
    rows: int
    counts: CountsTable | None
    values: Matrix | None
    data: bytes


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of a task's answer. `pieces` stand in row order.

    The properties assume what the checks before them have found; `checks.CHECKS` asks in that order.
    """

    question: Question
    total_rows: int
    pieces: tuple[Piece, ...]
    scoring: Scoring | None = None

    @property
    def sampled(self) -> bool:
        """Whether shots were asked for; exact values otherwise."""
        return self.question.shots is not None

    @property
    def scorable(self) -> bool:
        """Whether samples of an optimisation problem are to be scored."""
        return self.scoring is not None and self.sampled

    @cached_property
    def counts(self) -> PackedCounts:
        """All counts, row-major over [parameter set, measurement group].

        Raises:
            CountsError: if the bytes are not what their table says.
        """
        tables = [
            PackedCounts.from_bytes(piece.data, rows=piece.counts.rows, bits=piece.counts.bits)
            for piece in self.pieces
            if piece.counts is not None
        ]
        return tables[0] if len(tables) == 1 else concatenate(tables)

    @cached_property
    def estimates(self) -> tuple[Array, Array] | None:
        """Values and standard errors, both [parameter sets, observables]; None for plain counts."""
        question = self.question
        if question.grouping is None:
            return None
        if self.sampled:
            return expectation(self.counts, question.observables, question.grouping)
        shape = (-1, len(question.observables))
        values = np.concatenate([np.frombuffer(piece.data, "<f8").reshape(shape) for piece in self.pieces])
        return values, np.zeros_like(values)

    @cached_property
    def score(self) -> Score | None:
        """The score of the samples, or of earlier tasks' best where there are none now; None without a `Scoring`."""
        if self.scoring is None:
            return None
        return score(self.counts if self.sampled else None, self.question.observables[0], self.scoring)
