"""How far an answer can be trusted: a part for each thing that can be wrong with it, and their product."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quire_contracts.verdict import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from quire_contracts.ran import Ran


def score_of(parts: Iterable[Part]) -> float | None:
    """The product of the parts that are known; None where none is."""
    known = [part.value for part in parts if part.value is not None]
    return math.prod(known) if known else None


def samples(repeats: float | None, hits: int, shots: int) -> Part:
    """That another last sampling would find as good an answer; `repeats` is what `found_again` says of it."""
    if repeats is None:
        return Part("samples", None, "there was no last sampling")
    return Part("samples", repeats, f"{hits} of {shots} shots of the last sampling had the best value found")


def samples_of_all(ran: Ran) -> Part:
    """That a child's last sampling would find as good an answer of its own again: the geometric mean of their chances.

    Not their product, which says of many children nothing but that they are many.
    """
    if not ran.samplings:
        return Part("samples", None, "there was no last sampling")
    mean = ran.repeats ** (1 / ran.samplings)
    return Part("samples", mean, f"the mean chance of {ran.samplings} last samplings to find their best value again")


def health(ran: Ran, down: Callable[[str], str | None]) -> Part:
    """The share of runs on targets that take work now, under the calibration that their target had last.

    A run elsewhere counts half: it passed its checks, and what made its target stop may have been there before.

    ran: for the job and all its children.   down: why a target takes no work; None if it does.
    """
    runs = sum(each.runs + each.earlier for each in ran.at)
    if not runs:
        return Part("health", None, "nothing ran")
    sick = {each.target: why for each in ran.at if (why := down(each.target)) is not None}
    old = sum(each.earlier for each in ran.at if each.target not in sick)
    doubtful = old + sum(each.runs + each.earlier for each in ran.at if each.target in sick)
    whys = [f"{target} takes no work now: {why}" for target, why in sick.items()]
    if old:
        whys.append(f"{old} of {runs} runs were under an earlier calibration")
    text = "; ".join(whys) or f"{' and '.join(each.target for each in ran.at)}: up, one calibration each"
    return Part("health", 1.0 - 0.5 * doubtful / runs, f"{text}{_of_jobs(ran)}"[:2_000])


def errors(ran: Ran) -> Part:
    """The share of runs, for the job and all its children, that were answered and passed their checks."""
    runs = ran.runs + ran.failed
    if not runs:
        return Part("errors", None, "nothing ran")
    codes = f": {', '.join(ran.fault_codes)}" if ran.fault_codes else ""
    return Part("errors", ran.runs / runs, f"{ran.failed} of {runs} runs failed{_of_jobs(ran)}{codes}"[:2_000])


def _of_jobs(ran: Ran) -> str:
    return f" (in {ran.jobs} jobs)" if ran.jobs > 1 else ""


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
