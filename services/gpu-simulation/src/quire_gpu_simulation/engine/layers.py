"""One-qubit layers: vectors of amplitudes, two qubits for one reading of the state, a near block for low ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from quire_gpu_simulation.engine.compiled import CROSSED, GENERAL, REAL
from quire_gpu_simulation.engine.jit import part
from quire_gpu_simulation.engine.vector import (
    exchange_1,
    exchange_2,
    exchange_4,
    exchange_8,
    fma,
    fnma,
    lanes,
    load,
    multiply,
    splat,
    store,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK_ROWS: Final = 256
"""Vectors that are turned about all low qubits before the next ones: 32 KiB of real and imaginary parts."""


@part
def _load_general(m: Any, at: int) -> Any:
    return (
        (splat(m, at), splat(m, at + 1), splat(m, at + 2), splat(m, at + 3)),
        (splat(m, at + 4), splat(m, at + 5), splat(m, at + 6), splat(m, at + 7)),
    )


@part
def _combined(c: Any, ar: Any, ai: Any, br: Any, bi: Any) -> Any:
    """The complex (c0 + i c1) a + (c2 + i c3) b."""
    re = fnma(c[3], bi, fma(c[2], br, fnma(c[1], ai, multiply(c[0], ar))))
    im = fma(c[3], br, fma(c[2], bi, fma(c[1], ar, multiply(c[0], ai))))
    return re, im


@part
def _pair_general(c: Any, ar: Any, ai: Any, br: Any, bi: Any) -> Any:
    r0, i0 = _combined(c[0], ar, ai, br, bi)
    r1, i1 = _combined(c[1], ar, ai, br, bi)
    return r0, i0, r1, i1


@part
def _load_real(m: Any, at: int) -> Any:
    return splat(m, at), splat(m, at + 2), splat(m, at + 4), splat(m, at + 6)


@part
def _pair_real(c: Any, ar: Any, ai: Any, br: Any, bi: Any) -> Any:
    return (
        fma(c[1], br, multiply(c[0], ar)),
        fma(c[1], bi, multiply(c[0], ai)),
        fma(c[3], br, multiply(c[2], ar)),
        fma(c[3], bi, multiply(c[2], ai)),
    )


@part
def _load_crossed(m: Any, at: int) -> Any:
    return splat(m, at), splat(m, at + 3), splat(m, at + 5), splat(m, at + 6)


@part
def _pair_crossed(c: Any, ar: Any, ai: Any, br: Any, bi: Any) -> Any:
    return (
        fnma(c[1], bi, multiply(c[0], ar)),
        fma(c[1], br, multiply(c[0], ai)),
        fnma(c[2], ai, multiply(c[3], br)),
        fma(c[2], ar, multiply(c[3], bi)),
    )


def _sweeps(load_matrix: Callable[..., Any], pair: Callable[..., Any]) -> tuple[Any, Any]:
    """Turns of one qubit, and of two, for a kind of matrices; `low`, `high` are the qubits' distances in rows."""

    @part
    def one(re: Any, im: Any, first: int, count: int, low: int, m: Any, at: int) -> None:
        c = load_matrix(m, at)
        mask = low - 1
        for k in range(count // 2):
            i = first + (((k & ~mask) << 1) | (k & mask))
            j = i + low
            r0, i0, r1, i1 = pair(c, load(re, i), load(im, i), load(re, j), load(im, j))
            store(re, i, r0)
            store(im, i, i0)
            store(re, j, r1)
            store(im, j, i1)

    @part
    def two(re: Any, im: Any, first: int, count: int, low: int, high: int, m: Any, at_low: int, at_high: int) -> None:
        a = load_matrix(m, at_low)
        b = load_matrix(m, at_high)
        low_mask, high_mask = low - 1, high - 1
        for k in range(count // 4):
            i = ((k & ~low_mask) << 1) | (k & low_mask)
            i = first + (((i & ~high_mask) << 1) | (i & high_mask))
            j = i + low
            p = i + high
            q = p + low
            r0, i0, r1, i1 = pair(a, load(re, i), load(im, i), load(re, j), load(im, j))
            r2, i2, r3, i3 = pair(a, load(re, p), load(im, p), load(re, q), load(im, q))
            r0, i0, r2, i2 = pair(b, r0, i0, r2, i2)
            r1, i1, r3, i3 = pair(b, r1, i1, r3, i3)
            store(re, i, r0)
            store(im, i, i0)
            store(re, j, r1)
            store(im, j, i1)
            store(re, p, r2)
            store(im, p, i2)
            store(re, q, r3)
            store(im, q, i3)

    return one, two


_one_general, _two_general = _sweeps(_load_general, _pair_general)
_one_real, _two_real = _sweeps(_load_real, _pair_real)
_one_crossed, _two_crossed = _sweeps(_load_crossed, _pair_crossed)


@part
def _exchanged(x: Any, qubit: int) -> Any:
    if qubit == 0:
        return exchange_1(x)
    if qubit == 1:
        return exchange_2(x)
    if qubit == 2:  # noqa: PLR2004 - lane bits
        return exchange_4(x)
    return exchange_8(x)


@part
def _within_rows(re: Any, im: Any, first: int, count: int, qubit: int, kind: int, side: Any) -> None:
    """A qubit whose two amplitudes stand in one vector: `side` is what `_beside` made of its matrix."""
    own_re, own_im, other_re, other_im = load(side, 0), load(side, 1), load(side, 2), load(side, 3)
    for row in range(first, first + count):
        ar, ai = load(re, row), load(im, row)
        br, bi = _exchanged(ar, qubit), _exchanged(ai, qubit)
        if kind == REAL:
            r, i = fma(other_re, br, multiply(own_re, ar)), fma(other_re, bi, multiply(own_re, ai))
        elif kind == CROSSED:
            r, i = fnma(other_im, bi, multiply(own_re, ar)), fma(other_im, br, multiply(own_re, ai))
        else:
            r, i = _combined((own_re, own_im, other_re, other_im), ar, ai, br, bi)
        store(re, row, r)
        store(im, row, i)


@part
def _beside(m: Any, at: int, qubit: int, side: Any) -> None:
    """A matrix as four vectors: what each lane takes of itself (re, im) and of its partner (re, im)."""
    width = lanes(m)
    for lane in range(width):
        bit = lane >> qubit & 1
        own, other = at + 6 * bit, at + 2 + 2 * bit
        side[lane] = m[own]
        side[width + lane] = m[own + 1]
        side[2 * width + lane] = m[other]
        side[3 * width + lane] = m[other + 1]


@part
def _turn_two(re: Any, im: Any, first: int, count: int, low: int, high: int, kind: int, m: Any, a: int, b: int) -> None:
    if kind == REAL:
        _two_real(re, im, first, count, low, high, m, a, b)
    elif kind == CROSSED:
        _two_crossed(re, im, first, count, low, high, m, a, b)
    else:
        _two_general(re, im, first, count, low, high, m, a, b)


@part
def _turn_one(re: Any, im: Any, first: int, count: int, low: int, kind: int, m: Any, a: int) -> None:
    if kind == REAL:
        _one_real(re, im, first, count, low, m, a)
    elif kind == CROSSED:
        _one_crossed(re, im, first, count, low, m, a)
    else:
        _one_general(re, im, first, count, low, m, a)


@part
def turn(
    re: Any, im: Any, first: int, count: int, qubits: Any, kinds: Any, begin: int, end: int, m: Any, side: Any
) -> None:
    """Apply the gates begin..end, by rising qubit, to `count` rows; gate g's matrix is m[8 g : 8 g + 8]."""
    lane_bits = 0
    while (1 << lane_bits) < lanes(re):
        lane_bits += 1
    g = begin
    while g < end:
        qubit, kind = qubits[g], kinds[g]
        if qubit < lane_bits:
            _beside(m, 8 * g, qubit, side)
            _within_rows(re, im, first, count, qubit, kind, side)
            g += 1
        elif g + 1 < end:
            shared = kind if kinds[g + 1] == kind else GENERAL
            low, high = 1 << (qubit - lane_bits), 1 << (qubits[g + 1] - lane_bits)
            _turn_two(re, im, first, count, low, high, shared, m, 8 * g, 8 * g + 8)
            g += 2
        else:
            _turn_one(re, im, first, count, 1 << (qubit - lane_bits), kind, m, 8 * g)
            g += 1
