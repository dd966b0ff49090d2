"""A job's answer, as its user reads it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quire_contracts.answers import Answer
from quire_contracts.partitioned import Partitioned
from quire_contracts.preparation import Baseline, MethodSeconds
from quire_contracts.ran import Count, Ran
from quire_contracts.value import CountsTable, Key, Seconds, Target, Text, Value
from quire_contracts.verdict import Spread, Verdict

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


class Round(Value, frozen=True, omit_defaults=True):
    """One round of a loop: its objective, the best objective so far, and where it ran.

    The objective is an expectation of the encoded problem: in the problem's units where every assignment is feasible,
    with penalties where not, and the square of the difference where numbers are split.
    """

    round: int
    objective: float
    best: float
    std_error: float | None
    target: Target
    layers: int | None = None
    """Of the circuit it varied, where a loop climbs from one layer to more."""


class Screened(Value, frozen=True):
    """A circuit that a pre-screen chose or did not choose, and why.

    Of its `start_points` those at `rows` had the least energy, the best one first, with this `objective`. What is
    `expected` of it at the `target` of the rounds lies between the objective of the maximally mixed state and that, as
    far as the `fidelity` there leaves; None is a fidelity that nobody says, and counts as 1. Gates and depth are those
    of the circuit compiled for the target, where a gateway compiled it; else lower bounds, any two qubits taken to be
    neighbours.
    """

    name: Text
    parameters: int
    two_qubit_gates: int
    depth: int
    start_points: int
    rows: tuple[int, ...]
    objective: float
    std_error: float | None
    target: Target
    fidelity: float | None
    expected: float
    chosen: bool = False
    reason: Text = ""


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
    method_seconds: MethodSeconds = msgspec.field(default_factory=dict)
    """Seconds of each method that the baseline tried."""

    source: Annotated[str, Meta(max_length=32)] = "quantum"
    """`quantum`, or `classical` when the answer is the baseline's."""

    stopped: Text = ""
    """Why the loop had fewer rounds than were asked for, where it had."""

    sense: Literal["min", "max"] | None = None
    unit: Text = ""
    """What the objective counts, as in `distance`."""

    partition: Partitioned | None = None
    """How the problem was taken apart and put together again, where it was."""

    verdict: Verdict | None = None
    """The quantum answer held against the classical one; None of an answer given before there were verdicts."""

    screened: tuple[Screened, ...] = ()
    """The circuits that the pre-screen chose between, in the order of the document."""


class Accuracy(Value, frozen=True):
    """How near an energy is to the classical reference.

    `error` is the energy less the reference; where that is no exact ground energy, a negative one is a better answer.
    """

    error: float | None = None
    chemical: bool | None = None
    """Whether the energy is within 1.6e-3 hartree of the exact one, two standard errors either way counted; None where
    they leave it open, the unit is another, or nothing exact is at hand."""

    anomaly: Text = ""
    """What no state can have, such as an energy below the exact ground energy by more than its error."""


class MinimizeResult(Value, frozen=True, tag_field="kind", tag="minimize"):
    """The least energy that a loop found, measured once more at its parameters, beside the classical reference.

    `energy` and `std_error` (0 where it is exact) are in `unit`; where the loop ended before that last measurement they
    are those of the round that found it, which shots make too low on average. `parameters` are the ansatz', in its
    order. `baseline` is the reference: the exact ground energy where it is `exact`, else that of a product state.
    """

    energy: float
    std_error: float
    parameters: tuple[float, ...]
    history: tuple[Round, ...]
    baseline: Baseline | None
    accuracy: Accuracy
    baseline_seconds: Seconds = 0.0
    source: Annotated[str, Meta(max_length=32)] = "quantum"
    """`quantum`, or `classical` when the answer is the reference's."""

    stopped: Text = ""
    """Why the loop had fewer rounds than were asked for, where it had."""

    unit: Text = ""
    verdict: Verdict | None = None
    """None where the answer is the reference's."""

    screened: tuple[Screened, ...] = ()
    """The circuits that the pre-screen chose between, in the order of the document."""


class KernelResult(Value, frozen=True, tag_field="kind", tag="kernel"):
    """A kernel matrix [rows, columns] and its entries' standard errors, of the same shape; None where it is exact.

    A `symmetric` matrix has a diagonal of ones that was not run, and says its `smallest_eigenvalue` as it was measured.
    `psd_enforced` says that there were eigenvalues below 0, which were raised to 0: the nearest matrix without them
    (in the Frobenius norm), whose diagonal is not 1 any more; `std_errors` are those of before.
    """

    matrix: tuple[tuple[float, ...], ...]
    std_errors: tuple[tuple[float, ...], ...] | None = None
    symmetric: bool = False
    smallest_eigenvalue: float | None = None
    psd_enforced: bool = False


Answered = SampleResult | EstimateResult | OptimizeResult | MinimizeResult
"""The answers of jobs that may be variants of a sweep."""


class Point(Value, frozen=True, kw_only=True):
    """One variant of a sweep: how its job ended, its figure (`family.headline`), and its whole answer.

    `std_error` is the figure's; None where it has none. Without an answer the `reason` says why.
    """

    label: Text
    x: float | None
    job_id: Key
    state: Annotated[str, Meta(max_length=32)]
    degraded: bool = False
    reason: Text = ""
    value: float | None = None
    std_error: float | None = None
    result: Answered | None = None


class SweepSummary(Value, frozen=True, kw_only=True):
    """A sweep's points in numbers; each point's own answer has its verdict.

    `states` counts how the variants' jobs ended, `degraded` those that completed with a lesser answer. Of the points
    that have a verdict `calls` counts what it calls, and `outcomes` what became of the answer (`verdict.Outcome`).
    `shots`, `cost_usd` and `ran` are of all variants together.
    """

    states: dict[str, Count]
    degraded: Count = 0
    calls: dict[str, Count] = msgspec.field(default_factory=dict)
    outcomes: dict[str, Count] = msgspec.field(default_factory=dict)
    shots: Count = 0
    cost_usd: Annotated[float, Meta(ge=0)] = 0.0
    ran: Ran | None = None


class SweepResult(Value, frozen=True, tag_field="kind", tag="sweep"):
    """One point for each variant, in the order of the document; `x` says what the points' `x` is."""

    points: tuple[Point, ...]
    x: Text = ""
    spread: Spread | None = None
    """Of the points' quantum values, where the variants differ in nothing but their seeds."""

    summary: SweepSummary | None = None
    """None of an answer given before there were summaries."""


JobResult = Answered | KernelResult | SweepResult
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
