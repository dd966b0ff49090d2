"""How an energy depends on the angles of any circuit: the frequencies of the gates that each parameter stands in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from quire_contracts.preparation import Spectrum
from quire_preprocessing.optimize.spectra import common_measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.preparation import Columns
    from quire_quantum.structure import Structure

_CONTROLLED: Final = frozenset({"crx", "cry", "crz"})
"""Their generators have the eigenvalues 0 and +-1/2, which differ by 1/2 and by 1; those of all others differ by 1."""

_FLAT: Final = Spectrum(spacing=1.0, count=1)
"""Of a parameter that no gate depends on."""


def gate_spectra(structure: Structure, columns: Columns | None, parameters: int, most: int) -> list[Spectrum | None]:
    """The spectrum of each of a loop's parameters (Wierichs et al., Quantum 6, 677, 2022), whatever the observable.

    Every gate that a parameter stands in adds the differences of its generator's eigenvalues, times the parameter's
    factor there. None stands for factors without a common measure, and for more than `most` frequencies.

    Args:
        structure: the circuit.
        columns: how its parameters follow from the loop's; None where they are the same.
        parameters: of the loop.
        most: frequencies of one parameter that are of use.
    """
    steps: list[list[float]] = [[] for _ in range(parameters)]
    widths: list[list[float]] = [[] for _ in range(parameters)]
    for operation in structure.operations:
        for column, scale, _ in operation.angles:
            source, factor = (column, 1.0) if columns is None else (columns.sources[column], columns.scales[column])
            width = abs(scale * factor)
            if width > 0.0:
                widths[source].append(width)
                steps[source].append(width / 2 if operation.name in _CONTROLLED else width)
    return [_spectrum(step, width, most) for step, width in zip(steps, widths, strict=True)]


def _spectrum(steps: Sequence[float], widths: Sequence[float], most: int) -> Spectrum | None:
    """Frequencies are sums of the gates' own, so multiples of what measures all of those."""
    if not steps:
        return _FLAT
    measure = common_measure(list(steps))
    if measure is None:
        return None
    count = round(math.fsum(widths) / measure)
    return Spectrum(spacing=measure, count=count) if count <= most else None
