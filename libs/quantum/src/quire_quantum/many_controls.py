"""X and phases under many controls, without spare qubits (Barenco et al., arXiv:quant-ph/9503016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_quantum.angles import Expression, scale
from quire_quantum.lift import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

_HALF_TURN = 3.141592653589793


def controlled_not(controls: tuple[int, ...], target: int) -> Iterator[Step]:
    """X on `target` when every control is one: a phase of pi between two h. Gates grow with the square of controls."""
    if len(controls) <= 2:  # noqa: PLR2004  (cx and ccx are canonical)
        yield Step(("x", "cx", "ccx")[len(controls)], (*controls, target))
        return
    yield Step("h", (target,))
    yield from controlled_phase(controls, target, _HALF_TURN)
    yield Step("h", (target,))


def controlled_phase(controls: tuple[int, ...], target: int, angle: Expression) -> Iterator[Step]:
    """p(angle) on `target` under at least one control (lemma 7.5, a gate and its root)."""
    while len(controls) > 1:
        *others, last = controls
        half = scale(angle, 0.5)
        yield Step("cp", (last, target), (half,))
        yield from _borrowing_not(tuple(others), last, target)
        yield Step("cp", (last, target), (scale(half, -1.0),))
        yield from _borrowing_not(tuple(others), last, target)
        controls, angle = tuple(others), half
    yield Step("cp", (controls[0], target), (angle,))


def _borrowing_not(controls: tuple[int, ...], target: int, spare: int) -> Iterator[Step]:
    """X under controls with the help of one other qubit, which gets its state back (lemma 7.4)."""
    if len(controls) <= 2:  # noqa: PLR2004  (cx and ccx are canonical)
        yield Step(("x", "cx", "ccx")[len(controls)], (*controls, target))
        return
    half = (len(controls) + 1) // 2
    first, second = controls[:half], controls[half:]
    for _ in range(2):
        yield from _chain(first, spare, (*second, target))
        yield from _chain((*second, spare), target, first)


def _chain(controls: tuple[int, ...], target: int, spares: tuple[int, ...]) -> Iterator[Step]:
    """X under m controls with m - 2 other qubits, which get their states back (lemma 7.2)."""
    links = len(controls) - 2
    if links <= 0:
        yield Step(("x", "cx", "ccx")[len(controls)], (*controls, target))
        return
    rungs = [Step("ccx", (controls[-1], spares[links - 1], target))]
    rungs += [Step("ccx", (controls[at + 1], spares[at - 1], spares[at])) for at in range(links - 1, 0, -1)]
    foot = Step("ccx", (controls[0], controls[1], spares[0]))
    yield from (*rungs, foot, *reversed(rungs))
    yield from (*rungs[1:], foot, *reversed(rungs[1:]))
