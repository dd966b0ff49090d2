"""What an optimiser is told of the energy before it starts, and how many circuits its rounds take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from quire_contracts import limits
from quire_contracts.optimizers import Nft, Optimizer, ParameterShift, Scipy, fewest_sets
from quire_contracts.preparation import Spectrum
from quire_preprocessing.refusal import refuse

WIDEST: Final = 32
"""Frequencies of an angle whose derivative is worth the exact rule, two circuits for each of them."""

Spectra = Callable[[int], Sequence[Spectrum | None]]
"""The spectrum of each parameter; None for one with more frequencies than it is told, or without a common measure."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Spectra for the optimisers that go by them, parameter sets of all rounds together, and what is to be said."""

    sets: int
    spectra: tuple[Spectrum | None, ...] = ()
    notes: tuple[str, ...] = ()


def rounds_of(
    optimizer: Optimizer,
    names: Sequence[str],
    known_up_to: Spectra,
    *,
    cure: str,
    numbers: int | None = None,
    runs: int = 1,
) -> Rounds:
    """The rounds of a loop.

    Args:
        optimizer: which one, and for how many rounds.
        names: of the parameters.
        known_up_to: their spectra.
        cure: what its author may do about a parameter that has no curve, besides another optimiser.
        numbers: of the structure for each parameter set, where they are not the parameters.
        runs: of the optimiser, side by side.

    Raises:
        Refused: the optimiser goes by curves, and a parameter has none that a task could hold.
    """
    parameters = len(names)
    most = limits.LOOP_NUMBERS // (numbers or parameters) // runs
    match optimizer:
        case Nft():
            known = tuple(known_up_to((most - 1) // 2))
            curves = [spectrum for spectrum in known if spectrum is not None]
            if len(curves) < len(known):
                raise refuse(
                    "angle-without-curve",
                    "/algorithm/optimizer/name",
                    f"nft needs the whole curve of each angle, and {_without(known, names)} have too many frequencies, "
                    "or weights without a common measure",
                    limit=f"at most {(most - 1) // 2} frequencies",
                    hint=f"{cure}, or choose another optimiser",
                )
            turns, rest = divmod(optimizer.rounds, parameters)
            each = [2 * spectrum.count + 1 for spectrum in curves]
            return Rounds(runs * (turns * sum(each) + sum(each[:rest])), known)
        case ParameterShift() | Scipy(method="l-bfgs-b"):
            known = _affordable(tuple(known_up_to(WIDEST)), most)
            which = _without(known, names)
            said = f"derivatives by {which} are central differences over +-{optimizer.difference} radians"
            return Rounds(runs * optimizer.rounds * _sets(known), known, (said,) if None in known else ())
        case _:
            return Rounds(runs * optimizer.rounds * fewest_sets(optimizer, parameters))


def _sets(known: tuple[Spectrum | None, ...]) -> int:
    """Parameter sets of a gradient, and the point itself."""
    return 1 + sum(2 * spectrum.count if spectrum else 2 for spectrum in known)


def _affordable(known: tuple[Spectrum | None, ...], most: int) -> tuple[Spectrum | None, ...]:
    """The spectra without the widest ones, so that the gradient fits a task; the intake knows that differences do."""
    while _sets(known) > most and any(known):
        counts = [spectrum.count if spectrum else 0 for spectrum in known]
        widest = counts.index(max(counts))
        known = (*known[:widest], None, *known[widest + 1 :])
    return known


def _without(known: Sequence[Spectrum | None], names: Sequence[str]) -> str:
    """The parameters without a spectrum."""
    return ", ".join(name for name, spectrum in zip(names, known, strict=True) if spectrum is None)
