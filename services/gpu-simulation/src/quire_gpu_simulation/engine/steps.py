"""What each canonical gate is made of: one-qubit turns, phases of parities, and maps of basis states."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from quire_gpu_simulation.engine.compiled import Affine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quire_quantum.structure import Operation

_PI: Final = math.pi
_CONSTANT_TURNS: Final = {
    "x": ("x", _PI),
    "y": ("y", _PI),
    "z": ("z", _PI),
    "s": ("z", _PI / 2),
    "sdg": ("z", -_PI / 2),
    "t": ("z", _PI / 4),
    "tdg": ("z", -_PI / 4),
    "sx": ("x", _PI / 2),
    "sxdg": ("x", -_PI / 2),
}
_TURNS: Final = {"rx": "x", "ry": "y", "rz": "z", "p": "z"}
_MAPS: Final = {"cx", "swap", "ccx", "cswap"}


class NotFusableError(ValueError):
    """The structure measures or resets before its end: it has no single state vector."""


class One(NamedTuple):
    """A turn about an axis, or with axis `h` a Hadamard gate, on one qubit."""

    axis: str
    qubit: int
    angle: Affine = Affine()


class Phase(NamedTuple):
    """`exp(i sum angle (-1)^(parity of x & mask))` over pairs of (mask, angle)."""

    qubits: tuple[int, ...]
    parities: tuple[tuple[int, Affine], ...]


class Move(NamedTuple):
    """A map of basis states: x, cx, swap, ccx or cswap."""

    name: str
    qubits: tuple[int, ...]


Step = One | Phase | Move


def steps_of(operation: Operation) -> tuple[Step, ...]:
    """What an operation is made of up to a global phase, first step first; nothing for a barrier.

    Raises:
        NotFusableError: for a measurement or a reset.
    """
    name, qubits, angles, _ = operation
    if name in {"barrier", "id"}:
        return ()
    if name in {"measure", "reset"}:
        raise NotFusableError(f"a {name} before the end")
    affine = [Affine(angle.offset, ((angle.parameter, angle.scale),) if angle.scale else ()) for angle in angles]
    if name in _CONSTANT_TURNS:
        axis, by = _CONSTANT_TURNS[name]
        return (One(axis, qubits[0], Affine(by)),)
    if name == "h":
        return (One("h", qubits[0]),)
    if name in _TURNS:
        return (One(_TURNS[name], qubits[0], affine[0]),)
    if name == "u":
        theta, phi, lam = affine
        return (One("z", qubits[0], lam), One("y", qubits[0], theta), One("z", qubits[0], phi))
    if name in _MAPS:
        return (Move(name, qubits),)
    return _two_qubits(name, qubits, affine[0] if affine else Affine(_PI))


def _two_qubits(name: str, qubits: tuple[int, ...], angle: Affine) -> tuple[Step, ...]:
    a, b = qubits
    if name in {"rzz", "rxx", "ryy"}:
        both = _phase(qubits, angle, (a, b, -0.5))
        if name == "ryy":
            before, after = (tuple(_turn("x", qubit, by) for qubit in qubits) for by in (_PI / 2, -_PI / 2))
            return (*before, both, *after)
        around = (One("h", a), One("h", b)) if name == "rxx" else ()
        return (*around, both, *around)
    if name in {"crx", "cry", "crz"}:
        controlled = _phase(qubits, angle, (b, None, -0.25), (a, b, 0.25))
        if name == "cry":
            return (_turn("x", b, _PI / 2), controlled, _turn("x", b, -_PI / 2))
        turned = (One("h", b),) if name == "crx" else ()
        return (*turned, controlled, *turned)
    if name == "cy":
        quarter = Affine(_PI / 2)
        return (_phase((b,), quarter, (b, None, 0.5)), Move("cx", qubits), _phase((b,), quarter, (b, None, -0.5)))
    controlled = _phase(qubits, angle, (a, None, -0.25), (b, None, -0.25), (a, b, 0.25))
    if name == "ch":
        return (_turn("y", b, -_PI / 4), controlled, _turn("y", b, _PI / 4))
    return (controlled,)


def _turn(axis: str, qubit: int, by: float) -> One:
    return One(axis, qubit, Affine(by))


def _phase(qubits: tuple[int, ...], angle: Affine, *parities: tuple[int, int | None, float]) -> Phase:
    """Parities of a qubit, or of two, each with a share of the angle."""
    return Phase(
        qubits,
        tuple((1 << a | (0 if b is None else 1 << b), scaled(angle, share)) for a, b, share in parities),
    )


def is_monomial(gate: One) -> bool:
    """Whether a one-qubit gate is diagonal, or X or Y itself."""
    return gate.axis == "z" or (gate.axis in "xy" and not gate.angle.terms and abs(gate.angle.offset) == _PI)


def scaled(angle: Affine, by: float) -> Affine:
    """The angle times a number."""
    return Affine(angle.offset * by, tuple((parameter, scale * by) for parameter, scale in angle.terms))


def added(angles: Iterable[Affine]) -> Affine:
    """The angles' sum; parameters that cancel are left out."""
    total, offset = dict[int, float](), 0.0
    for angle in angles:
        offset += angle.offset
        for parameter, scale in angle.terms:
            total[parameter] = total.get(parameter, 0.0) + scale
    return Affine(offset, tuple((parameter, total[parameter]) for parameter in sorted(total) if total[parameter]))
