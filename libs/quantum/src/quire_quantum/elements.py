"""Gates as base gates under controls: `ctrl`, `inv` and `pow` become arithmetic, and the result canonical gates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from quire_quantum import limits
from quire_quantum.angles import Expression, add, scale
from quire_quantum.lift import Step
from quire_quantum.many_controls import controlled_not, controlled_phase
from quire_quantum.rejection import ProgramRejected

if TYPE_CHECKING:
    from collections.abc import Iterator

_HALF: Final = math.pi / 2
_QUARTER: Final = math.pi / 4

TOO_MANY: Final = "too-many-gates"


class Element(NamedTuple):
    """A base gate that acts when each control qubit has its value.

    Base gates are the canonical one-qubit gates, swap, rxx, ryy, rzz and `gphase`, which has no qubit.
    """

    name: str
    qubits: tuple[int, ...]
    angles: tuple[Expression, ...] = ()
    controls: tuple[tuple[int, int], ...] = ()


CONTROLLED: Final = {
    "cx": ("x", 1), "cy": ("y", 1), "cz": ("z", 1), "ch": ("h", 1), "cp": ("p", 1), "crx": ("rx", 1), "cry": ("ry", 1),
    "crz": ("rz", 1), "ccx": ("x", 2), "cswap": ("swap", 1),
}  # fmt: skip
"""Canonical gates that are base gates under controls, which are their first qubits."""

_ONE_CONTROL: Final = {base: name for name, (base, controls) in CONTROLLED.items() if controls == 1}
_INVERSES: Final = {"s": "sdg", "sdg": "s", "t": "tdg", "tdg": "t", "sx": "sxdg", "sxdg": "sx"}
_PHASES: Final = {"z": math.pi, "s": _HALF, "sdg": -_HALF, "t": _QUARTER, "tdg": -_QUARTER, "id": 0.0}
"""Gates that are p(angle)."""

_TURNS: Final = {"x": ("rx", math.pi), "y": ("ry", math.pi), "sx": ("rx", _HALF), "sxdg": ("rx", -_HALF)}
"""Gates that are gphase(angle / 2) and a turn by the angle."""

_SCALABLE: Final = frozenset({"gphase", "p", "rx", "ry", "rz", "rxx", "ryy", "rzz"})


def element(name: str, qubits: tuple[int, ...], angles: tuple[Expression, ...]) -> Element:
    """A canonical gate (or `gphase`) as an element."""
    base, controls = CONTROLLED.get(name, (name, 0))
    return Element(base, qubits[controls:], angles, tuple((qubit, 1) for qubit in qubits[:controls]))


def inverse(item: Element) -> Element:
    """The element's inverse."""
    if item.name == "u":
        theta, phi, lam = item.angles
        return item._replace(angles=(scale(theta, -1.0), scale(lam, -1.0), scale(phi, -1.0)))
    return item._replace(
        name=_INVERSES.get(item.name, item.name), angles=tuple(scale(angle, -1.0) for angle in item.angles)
    )


def power(items: list[Element], exponent: float) -> list[Element]:
    """The gate made of `items` to a real power: whole powers repeat, others take the principal root of one base gate.

    Raises:
        ProgramRejected: for a fractional power of several gates, or of `u` with inputs in it; or a whole one that
            gives too many gates.
    """
    if len(items) == 1 and items[0].name in _SCALABLE:
        return [items[0]._replace(angles=(scale(items[0].angles[0], exponent),))]
    if exponent == int(exponent):
        times = abs(int(exponent))
        if times * len(items) > limits.OPERATIONS:
            raise too_many()
        once = items if exponent >= 0 else [inverse(item) for item in reversed(items)]
        return once * times
    if len(items) == 1:
        return [part for root in _as_turns(items[0]) for part in power([root], exponent)]
    raise ProgramRejected(
        "fractional-power", "a fractional power of a gate made of several gates", hint="write the root as gates"
    )


def lower(item: Element) -> Iterator[Step]:
    """The element in canonical gates; a global phase that nothing controls is left out, since no result shows it."""
    closed = [Step("x", (qubit,)) for qubit, value in item.controls if not value]
    yield from closed
    yield from _lower(item.name, item.qubits, item.angles, tuple(qubit for qubit, _ in item.controls))
    yield from closed


def too_many() -> ProgramRejected:
    """The refusal of a program that unrolls to too many gates."""
    return ProgramRejected(
        TOO_MANY,
        "the program unrolls to too many gates",
        limit=f"{limits.OPERATIONS} gates",
        hint="split the circuit, or shorten its loops and gate definitions",
    )


def _as_turns(item: Element) -> list[Element]:
    """A base gate that is no turn yet, as commuting turns under the same controls."""
    name, qubits, _, controls = item
    if name in _PHASES:
        return [Element("p", qubits, (_PHASES[name],), controls)]
    if name in _TURNS:
        turn, angle = _TURNS[name]
        return [Element("gphase", (), (angle / 2,), controls), Element(turn, qubits, (angle,), controls)]
    if name == "swap":
        pairs = [Element(turn, qubits, (_HALF,), controls) for turn in ("rxx", "ryy", "rzz")]
        return [Element("gphase", (), (_QUARTER,), controls), *pairs]
    raise ProgramRejected("fractional-power", "a fractional power of this gate", hint="write the root as gates")


def _lower(
    name: str, qubits: tuple[int, ...], angles: tuple[Expression, ...], controls: tuple[int, ...]
) -> Iterator[Step]:
    """Base gates under closed controls, by the identities named at each branch."""
    if not controls:
        if name != "gphase":
            yield Step(name, qubits, angles)
    elif name == "gphase":
        yield from _lower("p", controls[-1:], angles, controls[:-1])
    elif len(controls) == 1 and name in _ONE_CONTROL:
        yield Step(_ONE_CONTROL[name], controls + qubits, angles)
    elif name in _PHASES and name != "z":
        if name != "id":
            yield from _lower("p", qubits, (_PHASES[name],), controls)
    elif name in ("sx", "sxdg"):
        turn, angle = _TURNS[name]
        yield from _lower("gphase", (), (angle / 2,), controls)
        yield from _lower(turn, qubits, (angle,), controls)
    elif name == "u":  # e^(i (phi + lam) / 2) rz(phi) ry(theta) rz(lam)
        theta, phi, lam = angles
        yield from _lower("rz", qubits, (lam,), controls)
        yield from _lower("ry", qubits, (theta,), controls)
        yield from _lower("rz", qubits, (phi,), controls)
        yield from _lower("gphase", (), (scale(add(phi, lam), 0.5),), controls)
    elif name in ("rxx", "ryy", "rzz"):
        yield from _lower_pair(name, qubits, angles, controls)
    else:
        yield from _lower_many(name, qubits, angles, controls)


def _lower_pair(
    name: str, qubits: tuple[int, ...], angles: tuple[Expression, ...], controls: tuple[int, ...]
) -> Iterator[Step]:
    """A change of basis to rzz, which is cx, rz, cx; only the rz needs the controls."""
    into = {"rxx": "h", "ryy": "sx", "rzz": ""}[name]
    back = {"rxx": "h", "ryy": "sxdg", "rzz": ""}[name]
    yield from (Step(into, (qubit,)) for qubit in qubits if into)
    yield Step("cx", qubits)
    yield from _lower("rz", qubits[1:], angles, controls)
    yield Step("cx", qubits)
    yield from (Step(back, (qubit,)) for qubit in qubits if back)


def _lower_many(
    name: str, qubits: tuple[int, ...], angles: tuple[Expression, ...], controls: tuple[int, ...]
) -> Iterator[Step]:
    """Two or more controls."""
    if name == "x":
        yield from controlled_not(controls, qubits[0])
    elif name == "swap":
        yield Step("cx", qubits[::-1])
        yield from controlled_not((*controls, qubits[0]), qubits[1])
        yield Step("cx", qubits[::-1])
    elif name in ("z", "y", "h", "rx"):
        before, inner, after = {  # conjugation: the outer gates undo each other when the controls are off
            "z": (Step("h", qubits), "x", Step("h", qubits)),
            "y": (Step("sdg", qubits), "x", Step("s", qubits)),
            "h": (Step("ry", qubits, (-_QUARTER,)), "z", Step("ry", qubits, (_QUARTER,))),
            "rx": (Step("h", qubits), "rz", Step("h", qubits)),
        }[name]
        yield before
        yield from _lower(inner, qubits, angles, controls)
        yield after
    elif name in ("ry", "rz"):  # x turns the axis round, so the halves add up exactly when every control is on
        for sign in (0.5, -0.5):
            yield Step(name, qubits, (scale(angles[0], sign),))
            yield from controlled_not(controls, qubits[0])
    else:
        yield from controlled_phase(controls, qubits[0], angles[0])
