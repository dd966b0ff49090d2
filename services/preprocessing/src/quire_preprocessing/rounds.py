"""What an optimiser is told of the energy before it starts, and how many circuits its rounds take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quire_contracts import limits
from quire_contracts.document import Qaoa
from quire_contracts.optimizers import Nft, ParameterShift, Scipy, fewest_sets
from quire_contracts.preparation import Spectrum
from quire_preprocessing.ising import Energy
from quire_preprocessing.refusal import refuse
from quire_preprocessing.spectra import spectra

WIDEST: Final = 32
"""Frequencies of an angle whose derivative is worth the exact rule, two circuits for each of them."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Spectra for the optimisers that go by them, parameter sets of all rounds together, and what is to be said."""

    sets: int
    spectra: tuple[Spectrum | None, ...] = ()
    notes: tuple[str, ...] = ()


def rounds_of(energy: Energy, algorithm: Qaoa) -> Rounds:
    """The rounds of a QAOA loop.

    Raises:
        Refused: the optimiser goes by curves, and an angle has none that a task could hold.
    """
    optimizer, angles = algorithm.optimizer, 2 * algorithm.layers
    most = limits.LOOP_NUMBERS // angles
    match optimizer:
        case Nft():
            known = spectra(energy, algorithm.layers, (most - 1) // 2)
            curves = [spectrum for spectrum in known if spectrum is not None]
            if len(curves) < len(known):
                raise refuse(
                    "angle-without-curve",
                    "/algorithm/optimizer/name",
                    f"nft needs the whole curve of each angle, and {_names(known)} have too many frequencies, "
                    "or weights without a common measure",
                    limit=f"at most {(most - 1) // 2} frequencies",
                    hint="round the weights to multiples of one number, or choose another optimiser",
                )
            turns, rest = divmod(optimizer.rounds, angles)
            each = [2 * spectrum.count + 1 for spectrum in curves]
            return Rounds(turns * sum(each) + sum(each[:rest]), known)
        case ParameterShift() | Scipy(method="l-bfgs-b"):
            known = _affordable(spectra(energy, algorithm.layers, WIDEST), most)
            said = f"derivatives by {_names(known)} are central differences over +-{optimizer.difference} radians"
            return Rounds(optimizer.rounds * _sets(known), known, (said,) if None in known else ())
        case _:
            return Rounds(optimizer.rounds * fewest_sets(optimizer, angles))


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


def _names(known: tuple[Spectrum | None, ...]) -> str:
    """The angles without a spectrum."""
    layers = len(known) // 2
    names = [f"gamma_{index}" for index in range(layers)] + [f"beta_{index}" for index in range(layers)]
    return ", ".join(name for name, spectrum in zip(names, known, strict=True) if spectrum is None)
