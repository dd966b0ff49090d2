"""How a Hamiltonian's energy is minimised: the ansatz, where its angles start, and the optimiser."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from quire_contracts import limits
from quire_contracts.optimizers import Nft, Optimizer
from quire_contracts.value import Program, Strict

CHEMICAL_ACCURACY: Final = 1.6e-3
"""Hartree: one kilocalorie per mole, the error at which predicted rates of reactions become useful."""


class HardwareEfficient(Strict, frozen=True, tag_field="name", tag="hardware-efficient"):
    """Layers of rotations and entangling gates (Kandala et al., Nature 549, 242, 2017).

    All `rotations` on every qubit; then, `layers` times, the `entangler` on the pairs that `entanglement` names, and
    all rotations again. Every angle stands in one gate; they are ordered by layer, then rotation, then qubit.
    `linear` joins each qubit to the next, `circular` also the last to the first, `pairwise` first the even qubits to
    their next and then the odd ones, `full` every two. `state` is the basis state before the first rotation, such as
    the Hartree-Fock state: one 0 or 1 for each qubit, the right-most for qubit 0; by default all are 0.
    """

    layers: Annotated[int, Meta(ge=1, le=limits.LAYERS)] = 2
    rotations: Annotated[tuple[Literal["rx", "ry", "rz"], ...], Meta(min_length=1, max_length=3)] = ("ry", "rz")
    entangler: Literal["cx", "cz"] = "cx"
    entanglement: Literal["linear", "circular", "pairwise", "full"] = "linear"
    state: Annotated[str, Meta(pattern=r"^[01]*\Z", max_length=limits.QUBITS)] = ""

    def angles(self, qubits: int) -> int:
        """How many angles it has on so many qubits."""
        return (self.layers + 1) * len(self.rotations) * qubits


class GivenAnsatz(Strict, frozen=True, tag_field="name", tag="program"):
    """A program of one's own; its inputs, in the order of their declaration, are the parameters.

    Each angle is a number, or one input times a number plus a number.
    """

    program: Program


Ansatz = HardwareEfficient | GivenAnsatz


def _curve_by_curve() -> Nft:
    return Nft(rounds=200)


class Vqe(Strict, frozen=True, tag_field="name", tag="vqe"):
    """The variational quantum eigensolver (Peruzzo et al., Nature Communications 5, 4213, 2014).

    `sweep` start points are pre-screened in one batch, at most 2,048 angles in all, so fewer where there are many:
    all angles 0, the others drawn evenly from within `spread` radians of it, by the job's seed. `initial`, one number
    for each parameter, replaces them. The default optimiser, `nft`, bears the noise of shots; for exact values and few
    parameters the gradients of `l-bfgs-b` need fewer rounds.
    With `candidates` in place of `ansatz` the pre-screen chooses: each circuit has its start points, and the one goes
    on whose best energy, as the target's fidelity leaves it, is least; a smaller one that is as good within 1 % comes
    first. The best `starts` points go on, each with an optimiser run of its own, side by side in one task a round.
    """

    ansatz: Ansatz = msgspec.field(default_factory=HardwareEfficient)
    optimizer: Optimizer = msgspec.field(default_factory=_curve_by_curve)
    sweep: Annotated[int, Meta(ge=1, le=1_024)] = 16
    spread: Annotated[float, Meta(ge=0, le=10)] = 3.141592653589793
    initial: Annotated[tuple[float, ...], Meta(max_length=limits.LOOP_NUMBERS)] = ()
    candidates: Annotated[tuple[Ansatz, ...], Meta(min_length=2, max_length=limits.CANDIDATES)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    starts: Annotated[int, Meta(ge=1, le=limits.STARTS)] | msgspec.UnsetType = msgspec.UNSET
