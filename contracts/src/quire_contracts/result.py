"""A job's answer, as its user reads it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quire_contracts.answers import Answer
from quire_contracts.preparation import Baseline
from quire_contracts.value import CountsTable, Seconds, Target, Text, Value

Counts = dict[str, int]
"""Outcome to number of shots; the right-most bit of an outcome is bit (or qubit) 0."""


class Best(Value, frozen=True):
    """The best assignment seen among samples: `value` in the problem's units, one 0 or 1 for each variable.

    A feasible one is better than any that is not. `value` is worked out from the problem itself where the assignment is
    `feasible`; else it is that of the encoding, penalties included, and `violations` names what is wrong. `answer` says
    what the assignment means; problems of plain variables (qubo, ising) have none.
    """

    value: float
    assignment: tuple[int, ...]
    probability: float | None = None
    """Share of the last sampling's shots that gave exactly this assignment."""

    feasible: bool = True
    violations: tuple[Text, ...] = ()
    answer: Answer | None = None


class Round(Value, frozen=True):
    """One round of a loop: its objective, the best objective so far, and where it ran.

    The objective is an expectation of the encoded problem: in the problem's units where every assignment is feasible,
    with penalties where not, and the square of the difference where numbers are split.
    """

    round: int
    objective: float
    best: float
    std_error: float | None
    target: Target


class Quality(Value, frozen=True):
    """How good an optimisation's answer is against its baseline.

    `approximation_ratio` is (worst - value) / (worst - reference), 1 at the reference; `gap` is
    |value - reference| / max(1, |reference|). `success_probability` is the share of final shots at the best value.
    """

    approximation_ratio: float | None = None
    gap: float | None = None
    optimal: bool | None = None
    """True when the value equals a proven optimum; None when no proof is at hand."""

    success_probability: float | None = None
    mean_objective: float | None = None
    """Over the final samples that are feasible, in the problem's units."""

    feasible_share: float | None = None
    """Of the final samples; None where nothing can be infeasible, or nothing is known of it."""


class SampleResult(Value, frozen=True, tag_field="kind", tag="sample"):
    """One object of counts for each parameter set; large results travel packed, in `table`."""

    counts: tuple[Counts, ...] | None = None
    table: CountsTable | None = None


class EstimateResult(Value, frozen=True, tag_field="kind", tag="estimate"):
    """Values and standard errors of shape [parameter sets, observables]; exact values have standard error 0."""

    values: tuple[tuple[float, ...], ...]
    std_errors: tuple[tuple[float, ...], ...]


class OptimizeResult(Value, frozen=True, tag_field="kind", tag="optimize"):
    """The best assignment, the loop's history, the classical baseline, and how the two compare."""

    best: Best
    history: tuple[Round, ...]
    baseline: Baseline | None
    quality: Quality
    parameters: tuple[float, ...] = ()
    """Angles of the last sampling."""

    baseline_seconds: Seconds = 0.0
    source: Annotated[str, Meta(max_length=32)] = "quantum"
    """`quantum`, or `classical` when the answer is the baseline's."""

    stopped: Text = ""
    """Why the loop had fewer rounds than were asked for, where it had."""

    sense: Literal["min", "max"] | None = None
    unit: Text = ""
    """What the objective counts, as in `distance`."""


JobResult = SampleResult | EstimateResult | OptimizeResult
_decoder: msgspec.json.Decoder[JobResult] = msgspec.json.Decoder(JobResult)


def encode_result(result: JobResult) -> bytes:
    """The result as JSON."""
    return msgspec.json.encode(result)


def decode_result(data: bytes) -> JobResult:
    """The result from its JSON.

    Raises:
        msgspec.ValidationError: if the bytes are not a result.
    """
    return _decoder.decode(data)
