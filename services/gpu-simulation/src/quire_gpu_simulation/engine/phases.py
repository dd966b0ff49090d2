"""Phase polynomials: products of phases of parities, worked out in tables over the low bits of a basis state.

Over the high bits h, the table of h is that of h less its lowest set bit, times what that bit changes: one
multiplication for each amplitude, however many parities there are. A parity of more than two bits takes one of its own.
"""

from __future__ import annotations

from typing import Any

from quire_gpu_simulation.engine.encode import LOW_BITS
from quire_gpu_simulation.engine.jit import part
from quire_gpu_simulation.engine.vector import fma, fnma, lanes, load, multiply, splat, store


@part
def phasor(code: int, cosines: Any, sines: Any) -> Any:
    """exp(i angle) of a signed angle; 1 for none."""
    if code > 0:
        return cosines[code - 1], sines[code - 1]
    if code < 0:
        return cosines[-code - 1], -sines[-code - 1]
    return 1.0, 0.0


@part
def doubled(re: Any, im: Any, base: int, size: int, c: Any, pair: Any) -> None:
    """Numbers base..base + size become themselves times c0 + i c1, the next `size` ones themselves times c2 + i c3.

    `base` and, where it is not less than a vector, `size` are whole vectors; `pair` is scratch for 4 numbers.
    """
    if size < lanes(re):
        for x in range(base, base + size):
            r, i = re[x], im[x]
            re[x + size] = c[2] * r - c[3] * i
            im[x + size] = c[2] * i + c[3] * r
            re[x] = c[0] * r - c[1] * i
            im[x] = c[0] * i + c[1] * r
        return
    for k in range(4):
        pair[k] = c[k]
    c0, c1, c2, c3 = splat(pair, 0), splat(pair, 1), splat(pair, 2), splat(pair, 3)
    rows = size // lanes(re)
    first = base // lanes(re)
    for row in range(first, first + rows):
        r, i = load(re, row), load(im, row)
        store(re, row + rows, fnma(c3, i, multiply(c2, r)))
        store(im, row + rows, fma(c3, r, multiply(c2, i)))
        store(re, row, fnma(c1, i, multiply(c0, r)))
        store(im, row, fma(c1, r, multiply(c0, i)))


@part
def _times(re: Any, im: Any, target: int, source: int, by_re: Any, by_im: Any, by: int, size: int, sign: int) -> None:
    """Numbers target.. are numbers source.. times numbers by.. of the other table, or their conjugates (sign -1)."""
    if size < lanes(re):
        for x in range(size):
            r, i, c, s = re[source + x], im[source + x], by_re[by + x], sign * by_im[by + x]
            re[target + x] = c * r - s * i
            im[target + x] = c * i + s * r
        return
    width = lanes(re)
    for row in range(size // width):
        r, i = load(re, source // width + row), load(im, source // width + row)
        c, s = load(by_re, by // width + row), load(by_im, by // width + row)
        if sign > 0:
            store(re, target // width + row, fnma(s, i, multiply(c, r)))
            store(im, target // width + row, fma(s, r, multiply(c, i)))
        else:
            store(re, target // width + row, fma(s, i, multiply(c, r)))
            store(im, target // width + row, fnma(s, r, multiply(c, i)))


@part
def _coupled(
    couplings: Any, qubit: int, low: int, cosines: Any, sines: Any, re: Any, im: Any, at: int, pair: Any
) -> None:
    """The phases that `qubit` brings where it is 0, over the low bits below it, as a table from `at` on."""
    re[at], im[at] = phasor(couplings[qubit, qubit], cosines, sines)
    for bit in range(min(low, qubit)):
        c, s = phasor(couplings[qubit, bit], cosines, sines)
        doubled(re, im, at, 1 << bit, (c, s, c, -s), pair)


@part
def prepare(
    couplings: Any, cosines: Any, sines: Any, re: Any, im: Any, changes_re: Any, changes_im: Any, pair: Any
) -> None:
    """Fill the tables of a polynomial: `re`, `im` [slots, 2^low] flat, the first for high bits all 0.

    `changes` [high bits, 2^low]: what each high bit changes when it becomes 1.
    """
    qubits = couplings.shape[0]
    low = min(LOW_BITS, qubits)
    size = 1 << low
    re[0], im[0] = 1.0, 0.0
    for high in range(low, qubits):
        for other in range(low, high):
            c, s = phasor(couplings[high, other], cosines, sines)
            re[0], im[0] = c * re[0] - s * im[0], c * im[0] + s * re[0]
    for qubit in range(low):
        _coupled(couplings, qubit, low, cosines, sines, changes_re, changes_im, 0, pair)
        _times(re, im, 1 << qubit, 0, changes_re, changes_im, 0, 1 << qubit, -1)
        _times(re, im, 0, 0, changes_re, changes_im, 0, 1 << qubit, 1)
    for qubit in range(low, qubits):
        at = (qubit - low) * size
        _coupled(couplings, qubit, low, cosines, sines, changes_re, changes_im, at, pair)
        _times(re, im, 0, 0, changes_re, changes_im, at, size, 1)
        for x in range(at, at + size):
            c, s = changes_re[x], changes_im[x]
            changes_re[x], changes_im[x] = c * c - s * s, -2.0 * c * s


@part
def _among_high(couplings: Any, low: int, bit: int, high: int, cosines: Any, sines: Any) -> Any:
    """What turning high bit `bit` to 1 changes through the other high bits, of which those of `high` are set."""
    c, s = 1.0, 0.0
    for other in range(low, couplings.shape[0]):
        if other == bit:
            continue
        code = couplings[other, bit] if other > bit else couplings[bit, other]
        if code != 0:
            pc, ps = phasor(code, cosines, sines)
            qc, qs = pc * pc - ps * ps, -2.0 * pc * ps
            if high >> (other - low) & 1:
                qs = -qs
            c, s = c * qc - s * qs, c * qs + s * qc
    return c, s


@part
def apply(
    state_re: Any,
    state_im: Any,
    high: int,
    couplings: Any,
    cosines: Any,
    sines: Any,
    re: Any,
    im: Any,
    changes_re: Any,
    changes_im: Any,
    pair: Any,
) -> None:
    """Multiply the amplitudes of high bits `high` by their phases; to be called for 0, 1, 2 and so on."""
    low = min(LOW_BITS, couplings.shape[0])
    rows = max(1, (1 << low) // lanes(re))
    first = high * rows
    if high == 0:
        for row in range(rows):
            r, i, c, s = load(state_re, row), load(state_im, row), load(re, row), load(im, row)
            store(state_re, row, fnma(s, i, multiply(c, r)))
            store(state_im, row, fma(s, r, multiply(c, i)))
        return
    bit = 0
    while not high >> bit & 1:
        bit += 1
    rest = high & (high - 1)
    parent = 0
    if rest:
        parent = 1
        while not rest >> (parent - 1) & 1:
            parent += 1
    pair[0], pair[1] = _among_high(couplings, low, low + bit, high, cosines, sines)
    pc, ps = splat(pair, 0), splat(pair, 1)
    source, target, change = parent * rows, (bit + 1) * rows, bit * rows
    for row in range(rows):
        c, s = load(changes_re, change + row), load(changes_im, change + row)
        c, s = fnma(ps, s, multiply(pc, c)), fma(ps, c, multiply(pc, s))
        a, b = load(re, source + row), load(im, source + row)
        c, s = fnma(s, b, multiply(c, a)), fma(s, a, multiply(c, b))
        if bit:
            store(re, target + row, c)
            store(im, target + row, s)
        r, i = load(state_re, first + row), load(state_im, first + row)
        store(state_re, first + row, fnma(s, i, multiply(c, r)))
        store(state_im, first + row, fma(s, r, multiply(c, i)))


@part
def apply_far(
    state_re: Any, state_im: Any, first: int, count: int, mask: int, code: int, cosines: Any, sines: Any, side: Any
) -> None:
    """Multiply `count` rows by the phase of one parity; `side` is scratch for 4 vectors."""
    width = lanes(state_re)
    c, s = phasor(code, cosines, sines)
    for lane in range(width):
        odd = is_odd(lane & mask)
        side[lane] = c
        side[width + lane] = -s if odd else s
        side[2 * width + lane] = s if odd else -s
    even_c, even_s, odd_s = load(side, 0), load(side, 1), load(side, 2)
    for row in range(first, first + count):
        r, i = load(state_re, row), load(state_im, row)
        t = odd_s if is_odd(row * width & mask) else even_s
        store(state_re, row, fnma(t, i, multiply(even_c, r)))
        store(state_im, row, fma(t, r, multiply(even_c, i)))


@part
def is_odd(x: int) -> bool:
    """Whether an odd number of bits is set."""
    x ^= x >> 32
    x ^= x >> 16
    x ^= x >> 8
    x ^= x >> 4
    return (0x6996 >> (x & 15) & 1) == 1
