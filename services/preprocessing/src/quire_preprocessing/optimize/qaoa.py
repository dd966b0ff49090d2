"""The quantum approximate optimisation algorithm as a structure, built gate by gate: nothing is transpiled."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count, repeat
from typing import Literal

from quire_preprocessing.optimize.ising import Coupling, Energy
from quire_quantum.structure import Angle, Operation, Structure

Angles = Literal["shared", "multi"]


def qaoa(energy: Energy, layers: int, angles: Angles = "shared") -> Structure:
    """The QAOA ansatz of an energy (Farhi, Goldstone, Gutmann, arXiv:1411.4028), without measurements.

    All qubits start in |+>; layer l applies ``exp(-i gamma_l H / u)`` as rzz and rz, then ``exp(+i beta_l sum X)`` as
    rx. The parameters are gamma_0..gamma_{L-1} as p0..p(L-1), then beta_0..beta_{L-1} as pL..p(2L-1), in radians.
    The mixer's sign makes small positive angles, gamma rising and beta falling, follow the annealing path to the
    minimum of H; for an unweighted MaxCut they are the angles of the literature. The unit u makes the angles'
    typical size independent of the weights (Shaydulin et al., arXiv:2305.15201), so that one grid and one step size
    fit all problems.

    With `multi` angles every gate of a layer has a parameter of its own in place of the shared one: gammas layer by
    layer in the order of the gates, then betas layer by layer and qubit by qubit (ma-QAOA; Herrman et al., Scientific
    Reports 12, 6781, 2022). `sharing` says which of the shared angles each of them stands for.

    Gates stand in an order that depends on the energy alone: couplings by colour (see `coloured`), fields and
    mixers by qubit. Equal energies give equal structures.
    """
    unit = angle_unit(energy)
    couplings = coloured(energy.couplings)
    operations = [Operation("h", (qubit,)) for qubit in range(energy.variables)]
    multi = angles == "multi"
    gammas = count() if multi else None
    betas = count(layers * terms_of(energy)) if multi else None
    for layer in range(layers):
        gamma, beta = gammas or repeat(layer), betas or repeat(layers + layer)
        operations += _layer(energy, couplings, unit, gamma, beta)
    return Structure(energy.variables, 0, len(sharing(energy, layers, angles)), tuple(operations))


def _layer(
    energy: Energy, couplings: Sequence[Coupling], unit: float, gamma: Iterator[int], beta: Iterator[int]
) -> Iterator[Operation]:
    """rzz(t) is exp(-i t/2 ZZ) and rz, rx alike, so each angle is twice its weight."""
    for i, j, weight in couplings:
        yield Operation("rzz", (i, j), (Angle(next(gamma), 2 * (weight / unit)),))
    for qubit, field in enumerate(energy.fields):
        if field:
            yield Operation("rz", (qubit,), (Angle(next(gamma), 2 * (field / unit)),))
    for qubit in range(energy.variables):
        yield Operation("rx", (qubit,), (Angle(next(beta), -2.0),))


def terms_of(energy: Energy) -> int:
    """Gates of a layer that a gamma stands in: couplings and fields."""
    return len(energy.couplings) + sum(bool(field) for field in energy.fields)


def sharing(energy: Energy, layers: int, angles: Angles) -> list[int]:
    """For each parameter of `qaoa`, in order, the shared angle that it stands for: itself, where they are shared."""
    gammas, betas = (1, 1) if angles == "shared" else (terms_of(energy), energy.variables)
    return [layer for layer in range(layers) for _ in range(gammas)] + [
        layers + layer for layer in range(layers) for _ in range(betas)
    ]


def angle_names(energy: Energy, layers: int, angles: Angles = "shared") -> list[str]:
    """What the parameters of `qaoa` are called, in their order."""
    shared = [f"gamma_{index}" for index in range(layers)] + [f"beta_{index}" for index in range(layers)]
    if angles == "shared":
        return shared
    gates = [*range(terms_of(energy))] * layers + [*range(energy.variables)] * layers
    return [f"{shared[of]}_{gate}" for of, gate in zip(sharing(energy, layers, angles), gates, strict=True)]


def angle_unit(energy: Energy) -> float:
    """The energy that one radian of gamma stands for: ``sqrt(mean (2 J)^2 + mean (2 h)^2)``, zero fields left out.

    It is 1 for an unweighted MaxCut, and grows with the weights: gamma is a pure number.
    """
    groups = [[2 * weight for _, _, weight in energy.couplings], [2 * h for h in energy.fields if h]]
    largest = max(abs(weight) for group in groups for weight in group)
    means = [math.fsum((weight / largest) ** 2 for weight in group) / len(group) for group in groups if group]
    return largest * math.sqrt(math.fsum(means))


def coloured(couplings: Sequence[Coupling]) -> tuple[Coupling, ...]:
    """The couplings in an order in which neighbours in the list mostly share no qubit, which keeps circuits shallow.

    Greedy edge colouring: each coupling, in order, takes the first colour that none of its two qubits has; the result
    is sorted by colour. It needs fewer than twice the largest degree's number of colours.
    """
    taken: dict[int, set[int]] = {}
    colours = []
    for i, j, _ in couplings:
        used = taken.setdefault(i, set()) | taken.setdefault(j, set())
        colour = next(colour for colour in range(len(used) + 1) if colour not in used)
        taken[i].add(colour)
        taken[j].add(colour)
        colours.append(colour)
    order = sorted(range(len(couplings)), key=lambda index: (colours[index], index))
    return tuple(couplings[index] for index in order)
