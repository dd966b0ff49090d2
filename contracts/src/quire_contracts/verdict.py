"""How an answer compares with the classical one, how far it can be trusted, and what it had to satisfy."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from quire_contracts.value import Name, Problem, Seconds, Strict, Text, Value

Call = Literal["quantum better", "tie", "classical better", "inconclusive"]
Outcome = Literal["accept", "blend", "reject", "person"]
"""What became of an answer: it stands; the better of it and the classical one counts; the classical one stands in its
place; a person is to look at it."""

Share = Annotated[float, Meta(ge=0, le=1)]


class AnswerRules(Strict, frozen=True):
    """What a job's answer must satisfy to count without a person; a bound that is not named always holds.

    `objective_at_least` and `objective_at_most` are in the problem's own units, whatever its sense. `gap_at_most` is
    that of `Verdict.gap`. What breaks a rule, or cannot be known where the rule needs it, does as `otherwise` says:
    `person` marks the job for review, `classical` takes the classical answer in its place, if that one satisfies the
    rules (else a person is asked all the same).
    """

    objective_at_least: float | None = None
    objective_at_most: float | None = None
    feasible_share_at_least: Share | None = None
    approximation_ratio_at_least: Share | None = None
    gap_at_most: Annotated[float, Meta(ge=0)] | None = None
    confidence_at_least: Share | None = None
    otherwise: Literal["person", "classical"] = "person"


class Part(Value, frozen=True):
    """One part of a confidence: from 0, none, to 1; None where nothing is known of it. `why` has its numbers."""

    name: Name
    value: Share | None
    why: Text


class Confidence(Value, frozen=True):
    """How far an answer can be trusted: the product of the parts that are known, and what followed.

    Each part is read as the chance that nothing is wrong on its account. `samples`: that another last sampling would
    find as good an answer. `health`: the share of runs on targets that are up, under their latest calibration.
    `errors`: the share of runs that were answered and not faulty. `baseline`: how near the answer is to the classical
    one.

    Of a job with children, `health` and `errors` are shares of all runs of its tree, whichever job they were for, and
    `samples` is the geometric mean, over their last samplings, of the chance of each to find its best value again.
    """

    score: Share | None
    parts: tuple[Part, ...]
    outcome: Outcome
    why: tuple[Text, ...] = ()
    """The rules that the answer broke, or why the classical answer counts."""


class Spread(Value, frozen=True):
    """Best objectives of equal work from several seeds, in the problem's units; at least two runs."""

    runs: Annotated[int, Meta(ge=2)]
    least: float
    mean: float
    greatest: float
    std_dev: float


class Verdict(Value, frozen=True):
    """An optimisation's quantum answer held against the classical one; None is what is not known.

    `call` compares `value` with `classical` by the rule of `rule`; `certainty` is the chance that another run would
    call it the same, 1 where a proof decides and None where nothing is concluded. `gap` is |value - bound| /
    max(1, |bound|). `success_probability` is the share of the last sampling's shots at the best value known.

    Time to solution: `tts99_shots` is how many shots at the final angles see the best value known with a chance of
    99 %, ln(1 - 0.99) / ln(1 - p), at least 1 (Ronnow et al., Science 345, 420, 2014); `tts99_seconds` is their time
    and that of the loop which found the angles. Both are None where no shot had the best value known.
    `quantum_seconds` are those that the executions ran, without queues; `classical_seconds` are those of all classical
    methods, each of which had `budget_seconds`.
    """

    call: Call
    reason: Text
    rule: Text = ""
    certainty: Share | None = None
    value: float | None = None
    feasible: bool | None = None
    classical: float | None = None
    proven: bool = False
    """Whether the better of the two values is proven optimal."""

    bound: float | None = None
    bound_method: Name = ""
    gap: float | None = None
    approximation_ratio: float | None = None
    success_probability: Share | None = None
    tts99_shots: Annotated[int, Meta(ge=1)] | None = None
    tts99_seconds: Seconds | None = None
    spread: Spread | None = None
    quantum_seconds: Seconds = 0.0
    classical_seconds: Seconds = 0.0
    budget_seconds: Seconds = 0.0
    shots: int = 0
    cost_usd: Annotated[float, Meta(ge=0)] = 0.0
    confidence: Confidence | None = None
    answer: Literal["quantum", "classical"] | None = None
    """Which of the two is to be used: the quantum one, unless it is worse or was rejected."""

    remarks: tuple[Text, ...] = ()
    """What is to be borne in mind when the two are compared."""


def contradictions(rules: AnswerRules) -> list[Problem]:
    """What is wrong with a job's rules taken together; pointers begin at the document's root."""
    least, most = rules.objective_at_least, rules.objective_at_most
    if least is not None and most is not None and least > most:
        return [
            Problem(
                pointer="/rules/objective_at_least",
                reason=f"no objective is at least {least:g} and at most {most:g}",
                limit=f"at most `objective_at_most`, {most:g}",
                hint="exchange the two, or leave one out",
            )
        ]
    return []
