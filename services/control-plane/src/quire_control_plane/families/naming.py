"""What is said of children in words: what each is called, how it ended, and why its parent cannot do without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts import limits
from quire_contracts.value import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from quire_contracts.family import Child, Family

_NAMED: Final = 3


def named(children: Iterable[Child]) -> str:
    """How children ended: the first of them each with its reason, the others as a number."""
    return _listed([f"{_called(child)} {_how(child)}" for child in children])


def shortcomings(family: Family) -> str:
    """What the children's answers lack; empty where they lack nothing."""
    return named(child for child in family.children if child.degraded or child.state != "completed")


def reviews(family: Family) -> str:
    """Why a person is to look at children's answers; empty where nobody has to."""
    return _listed([f"{_called(child)}: {child.needs_review}" for child in family.children if child.needs_review])


def without_answer(lost: Sequence[Child]) -> Fault:
    """Why a job ends without an answer, of the children that it cannot do without; their first fault says what kind."""
    fault = next((child.fault for child in lost if child.fault is not None), None)
    first = lost[0]
    others = "" if len(lost) == 1 else ", the first of them"
    advice = "`allow_partial` would go on without it" if len(lost) == 1 else "none of them has an answer"
    return Fault(
        kind="unknown" if fault is None else fault.kind,
        code="child-without-answer",
        reason=named(lost),
        next_step=f"see job {first.job_id}{others}; {advice}",
        retryable=fault is not None and fault.retryable,
    )


def shortened(text: str) -> str:
    """As much of a child's own words as stands in its parent's record."""
    return text if len(text) <= limits.CHILD_REASON else f"{text[: limits.CHILD_REASON - 1]}…"


def shortened_fault(fault: Fault | None) -> Fault | None:
    """A child's fault as its parent's record has it: of what kind it is. Its words are the child's `reason`."""
    return None if fault is None else msgspec.structs.replace(fault, reason="", next_step="")


def _listed(texts: Sequence[str]) -> str:
    rest = [f"and {len(texts) - _NAMED} more"] if len(texts) > _NAMED else []
    return "; ".join((*texts[:_NAMED], *rest))[:2_000]


def _called(child: Child) -> str:
    return f"{child.role} {child.label or child.name}"


def _how(child: Child) -> str:
    what = "is degraded" if child.state == "completed" else f"is {child.state}"
    return f"{what}: {child.reason}" if child.reason else what
