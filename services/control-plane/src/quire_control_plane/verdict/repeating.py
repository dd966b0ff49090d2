"""What shots that hit say of further shots: whether they would hit again, and how many it takes to be almost sure."""

from __future__ import annotations

import math
from typing import Final

SOLVED: Final = 0.99
"""The chance of success that a time to solution is stated for."""

_ROUNDING: Final = 1e-12


def found_again(hits: int, shots: int) -> float:
    """The chance that as many shots again hit at least once, after so many of them did.

    The posterior predictive of a binomial share with Laplace's uniform prior (Gelman et al., Bayesian Data Analysis,
    2.3): 1 - B(hits + 1, 2 shots - hits + 1) / B(hits + 1, shots - hits + 1), for many shots 1 - 2^-(hits + 1).
    So four hits make it surer than 95 %, and one does not.

    Raises:
        ValueError: unless 0 <= hits <= shots.
    """
    if not 0 <= hits <= shots:
        raise ValueError(f"{hits} hits among {shots} shots")
    missed = _log_beta(hits + 1, 2 * shots - hits + 1) - _log_beta(hits + 1, shots - hits + 1)
    return min(1.0, max(0.0, -math.expm1(missed)))


def tts99_shots(success: float) -> int | None:
    """Shots that see what one shot sees with this chance, at least once with a chance of 99 %.

    ln(1 - 0.99) / ln(1 - p), rounded up and at least 1 (Ronnow et al., Science 345, 420, 2014). None where p is 0: no
    number of shots will do, as far as is known.

    Raises:
        ValueError: unless 0 <= success <= 1.
    """
    if not 0.0 <= success <= 1.0:
        raise ValueError(f"a chance of {success}")
    if success >= SOLVED:
        return 1
    missed = math.log1p(-success)
    if missed == 0.0:
        return None
    needed = math.log1p(-SOLVED) / missed
    return max(1, math.ceil(needed * (1 - _ROUNDING))) if math.isfinite(needed) else None


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
