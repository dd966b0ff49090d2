"""Whether an answer counts: what its job and its operator ask of it, as data, and what becomes of one that falls short.

Pure: equal rules and equal figures give equal outcomes. An answer that breaks no rule stands, beside a better classical
one where there is one. What breaks a rule gives way to the classical answer where every rule it breaks says so and that
answer satisfies the job's rules; else a person is asked. So is one for what contradicts a proof.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from quire_contracts.verdict import AnswerRules, Outcome
from quire_policy.conditions import Conditions

Otherwise = Literal["person", "classical"]
OTHERWISE: Final[tuple[Otherwise, ...]] = ("person", "classical")
_WIDEST: Final = 1e9
_SHARES: Final = ("feasible_share_at_least", "approximation_ratio_at_least", "confidence_at_least")
FIELDS: Final = frozenset({"name", "when", "gap_at_most", "otherwise", *_SHARES})
"""Of a table `[[acceptance]]`. A job can ask for bounds of its objective as well."""


class Acceptance(msgspec.Struct, frozen=True):
    """What an operator asks of the answers of jobs that `when` holds of; what is not named is not asked.

    The limits are those of `contracts.verdict.AnswerRules`. What nobody knows of an answer breaks none of them.
    """

    name: str
    when: Conditions
    feasible_share_at_least: float | None = None
    approximation_ratio_at_least: float | None = None
    gap_at_most: float | None = None
    confidence_at_least: float | None = None
    otherwise: Otherwise = "person"


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a quantum answer and of the classical one beside it.

    objective: of a feasible answer.   gap: to a proven bound.   contradiction: what a proof rules out, if anything.
    behind: whether the classical answer is better.   classical, classical_gap: of a feasible classical answer.
    """

    objective: float | None
    feasible_share: float | None = None
    approximation_ratio: float | None = None
    gap: float | None = None
    confidence: float | None = None
    contradiction: str = ""
    behind: bool = False
    classical: float | None = None
    classical_gap: float | None = None


class Accepted(msgspec.Struct, frozen=True):
    """What becomes of an answer, and why where it does not simply stand."""

    outcome: Outcome
    why: tuple[str, ...] = ()


def accept(acceptance: Acceptance, rules: AnswerRules | None, figures: Figures) -> Accepted:
    """Hold an answer against the operator's acceptance and the job's own rules, if it has any."""
    asked = _broken_of_job(rules, figures)
    demanded = _broken(acceptance, figures, strict=False)
    why = (*asked, *(f"{reason} ({acceptance.name})" for reason in demanded))
    if figures.contradiction:
        return Accepted("person", (figures.contradiction, *why))
    if not why:
        behind = f"the classical answer is better: {figures.classical:g}" if figures.behind else ""
        return Accepted("blend", (behind,)) if behind else Accepted("accept")
    ways = {*([rules.otherwise] if rules is not None and asked else []), *([acceptance.otherwise] if demanded else [])}
    spare = figures.classical is not None and not objections(
        rules, objective=figures.classical, gap=figures.classical_gap
    )
    return Accepted("reject" if ways == {"classical"} and spare else "person", why)


def objections(rules: AnswerRules | None, *, objective: float | None, gap: float | None) -> tuple[str, ...]:
    """What a job's rules have against any answer, a classical one too: its objective, and its gap to the bound.

    objective: None where the answer is not feasible.
    """
    if rules is None:
        return ()
    return (
        *_bounds(rules, objective),
        *_limit("the gap to the bound", gap, rules.gap_at_most, at_most=True, strict=True),
    )


def _broken_of_job(rules: AnswerRules | None, figures: Figures) -> tuple[str, ...]:
    return () if rules is None else (*_bounds(rules, figures.objective), *_broken(rules, figures, strict=True))


def _bounds(rules: AnswerRules, objective: float | None) -> tuple[str, ...]:
    least, most = rules.objective_at_least, rules.objective_at_most
    if objective is None:
        return ("no answer is feasible, and the job bounds the objective",) if (least, most) != (None, None) else ()
    return (
        *_limit("the objective", objective, least, at_most=False, strict=True),
        *_limit("the objective", objective, most, at_most=True, strict=True),
    )


def _broken(rules: Acceptance | AnswerRules, figures: Figures, *, strict: bool) -> tuple[str, ...]:
    return (
        *_limit(
            "the share of feasible samples",
            figures.feasible_share,
            rules.feasible_share_at_least,
            at_most=False,
            strict=strict,
        ),
        *_limit(
            "the approximation ratio",
            figures.approximation_ratio,
            rules.approximation_ratio_at_least,
            at_most=False,
            strict=strict,
        ),
        *_limit("the gap to the bound", figures.gap, rules.gap_at_most, at_most=True, strict=strict),
        *_limit("the confidence", figures.confidence, rules.confidence_at_least, at_most=False, strict=strict),
    )


def _limit(what: str, value: float | None, limit: float | None, *, at_most: bool, strict: bool) -> tuple[str, ...]:
    """What breaks one limit; strict: not to know the value does."""
    if limit is None:
        return ()
    asked = f"{limit:g} at {'most' if at_most else 'least'}"
    if value is None:
        return (f"{what} is not known, it has to be {asked}",) if strict else ()
    kept = value <= limit if at_most else value >= limit
    return () if kept else (f"{what} is {value:g}, it has to be {asked}",)


def read_acceptance(label: str, fields: dict[str, Any], when: Conditions, faults: list[str]) -> Acceptance:
    """A `[[acceptance]]` table; what is wrong with it is added to `faults` under its `label`."""
    limits: dict[str, Any] = {
        name: _number(label, name, fields[name], 1.0, faults) for name in _SHARES if name in fields
    }
    if "gap_at_most" in fields:
        limits["gap_at_most"] = _number(label, "gap_at_most", fields["gap_at_most"], _WIDEST, faults)
    otherwise = fields.get("otherwise", "person")
    if otherwise not in OTHERWISE:
        faults.append(f"{label}: `otherwise` must be one of {', '.join(OTHERWISE)}")
        otherwise = "person"
    return Acceptance(str(fields.get("name")), when, otherwise=otherwise, **limits)


def _number(label: str, name: str, value: object, most: float, faults: list[str]) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most:
        return float(value)
    faults.append(f"{label}: `{name}` must be a number from 0 to {most:g}")
    return 0.0
