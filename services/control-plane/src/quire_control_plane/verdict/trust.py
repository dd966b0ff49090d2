"""How far an answer can be trusted: a part for each thing that can be wrong with it, and their product."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quire_contracts.verdict import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from quire_contracts.record import Decision
    from quire_contracts.value import Execution


def score_of(parts: Iterable[Part]) -> float | None:
    """The product of the parts that are known; None where none is."""
    known = [part.value for part in parts if part.value is not None]
    return math.prod(known) if known else None


def samples(repeats: float | None, hits: int, shots: int) -> Part:
    """That another last sampling would find as good an answer; `repeats` is what `found_again` says of it."""
    if repeats is None:
        return Part("samples", None, "there was no last sampling")
    return Part("samples", repeats, f"{hits} of {shots} shots of the last sampling had the best value found")


def health(executions: Sequence[Execution], down: Callable[[str], str | None]) -> Part:
    """The share of runs on targets that take work now, under the calibration that their target had last.

    A run elsewhere counts half: it passed its checks, and what made its target stop may have been there before.

    executions: in the order in which they were answered.   down: why a target takes no work; None if it does.
    """
    if not executions:
        return Part("health", None, "nothing ran")
    latest = {execution.target: execution.calibration_id for execution in executions}
    sick = {target: why for target in latest if (why := down(target)) is not None}
    old = sum(each.target not in sick and each.calibration_id != latest[each.target] for each in executions)
    doubtful = old + sum(each.target in sick for each in executions)
    whys = [f"{target} takes no work now: {why}" for target, why in sick.items()]
    if old:
        whys.append(f"{old} of {len(executions)} runs were under an earlier calibration")
    text = "; ".join(whys) or f"{' and '.join(latest)}: up, one calibration each"
    return Part("health", 1.0 - 0.5 * doubtful / len(executions), text[:2_000])


def errors(executions: Sequence[Execution], decisions: Sequence[Decision]) -> Part:
    """The share of the job's runs that were answered and passed their checks."""
    codes = [decision.fault_code for decision in decisions if decision.fault_code]
    runs = len(executions) + len(codes)
    if not runs:
        return Part("errors", None, "nothing ran")
    text = f"{len(codes)} of {runs} runs failed" + (f": {', '.join(dict.fromkeys(codes))}" if codes else "")
    return Part("errors", len(executions) / runs, text[:2_000])


def baseline(*, ahead: float | None, ratio: float | None, gap: float | None, feasible: bool) -> Part:
    """How near the answer is to the classical one: 1 where it is as good, else its ratio, or else 1 / (1 + gap).

    ahead: by how much it is better than the classical answer; None where there is none that is feasible.
    """
    if not feasible:
        return Part("baseline", 0.0, "the answer is not feasible")
    if ahead is None:
        return Part("baseline", None, "there is no classical answer")
    if ahead >= 0:
        return Part("baseline", 1.0, "no worse than the classical answer")
    if ratio is not None:
        return Part("baseline", min(1.0, max(0.0, ratio)), f"an approximation ratio of {ratio:.4g}")
    if gap is not None:
        return Part("baseline", 1.0 / (1.0 + gap), f"a gap of {gap:.4g} to the classical answer")
    return Part("baseline", None, "its distance from the classical answer is not known")
