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
def _copied(re: Any, im: Any, base: int, size: int) -> None:
    """Numbers base..base + size stand once more behind themselves."""
    if size < lanes(re):
        for x in range(base, base + size):
            re[x + size], im[x + size] = re[x], im[x]
        return
    rows, first = size // lanes(re), base // lanes(re)
    for row in range(first, first + rows):
        store(re, row + rows, load(re, row))
        store(im, row + rows, load(im, row))


@part
def _split(re: Any, im: Any, size: int, by: int) -> None:
    """The first `size` numbers, times the numbers from `by` on; behind them the same, times their conjugates."""
    if size < lanes(re):
        for x in range(size):
            r, i, c, s = re[x], im[x], re[by + x], im[by + x]
            re[x], im[x] = c * r - s * i, c * i + s * r
            re[size + x], im[size + x] = c * r + s * i, c * i - s * r
        return
    rows, first = size // lanes(re), by // lanes(re)
    for row in range(rows):
        r, i, c, s = load(re, row), load(im, row), load(re, first + row), load(im, first + row)
        store(re, row, fnma(s, i, multiply(c, r)))
        store(im, row, fma(s, r, multiply(c, i)))
        store(re, rows + row, fma(s, i, multiply(c, r)))
        store(im, rows + row, fnma(s, r, multiply(c, i)))


@part
def _coupled(couplings: Any, first: int, bit: int, low: int) -> bool:
    """Whether `bit` is coupled to one of the `low` bits from `first` on."""
    found = False
    for other in range(low):
        found |= couplings[bit, first + other] != 0
    return found


@part
def _table(
    couplings: Any, cosines: Any, sines: Any, singles: Any, first: int, bits: int, re: Any, im: Any, pair: Any
) -> None:
    """The polynomial over the bits first..first + bits, as a table; behind it as much is used for scratch.

    singles: the phasors of the bits alone, cosine and sine in turn.
    """
    behind = max(lanes(re), 1 << bits)
    re[0], im[0] = 1.0, 0.0
    for bit in range(bits):
        c, s = singles[2 * bit], singles[2 * bit + 1]
        if not _coupled(couplings, first, first + bit, bit):
            doubled(re, im, 0, 1 << bit, (c, s, c, -s), pair)
            continue
        re[behind], im[behind] = c, s
        for other in range(bit):
            code = couplings[first + bit, first + other]
            if code == 0:
                _copied(re, im, behind, 1 << other)
            else:
                c, s = phasor(code, cosines, sines)
                doubled(re, im, behind, 1 << other, (c, s, c, -s), pair)
        _split(re, im, 1 << bit, behind)


@part
def prepare(couplings: Any, cosines: Any, sines: Any, room: Any) -> None:
    """Fill the tables of a polynomial.

    `room.tables` [slots, 2^low] flat: the first is that of high bits all 0. `room.changes` [high bits, 2^low]: what
    each high bit changes of it by becoming 1. `room.highs` [2^high]: the polynomial over the high bits alone.
    """
    qubits = couplings.shape[0]
    low = min(LOW_BITS, qubits)
    singles = room.singles
    for bit in range(low):
        c, s = phasor(couplings[bit, bit], cosines, sines)
        for high in range(low, qubits):
            if couplings[high, bit] != 0:
                pc, ps = phasor(couplings[high, bit], cosines, sines)
                c, s = c * pc - s * ps, c * ps + s * pc
        singles[2 * bit], singles[2 * bit + 1] = c, s
    _table(couplings, cosines, sines, singles, 0, low, room.tables_re, room.tables_im, room.side)
    for high in range(low, qubits):
        singles[2 * (high - low)], singles[2 * (high - low) + 1] = phasor(couplings[high, high], cosines, sines)
    _table(couplings, cosines, sines, singles, low, qubits - low, room.highs_re, room.highs_im, room.side)
    for high in range(low, qubits):
        at = (high - low) << low
        room.changes_re[at], room.changes_im[at] = 1.0, 0.0
        for bit in range(low):
            if couplings[high, bit] == 0:
                _copied(room.changes_re, room.changes_im, at, 1 << bit)
            else:
                c, s = phasor(couplings[high, bit], cosines, sines)
                c, s = (c - s) * (c + s), 2.0 * c * s
                doubled(room.changes_re, room.changes_im, at, 1 << bit, (c, -s, c, s), room.side)


@part
def apply(state_re: Any, state_im: Any, begin: int, end: int, low: int, room: Any) -> None:
    """Multiply the amplitudes of the high bits begin..end by their phases; to be called from 0 on without a gap."""
    re, im, changes_re, changes_im = room.tables_re, room.tables_im, room.changes_re, room.changes_im
    rows = max(1, (1 << low) // lanes(re))
    for high in range(begin, end):
        pc, ps = splat(room.highs_re, high), splat(room.highs_im, high)
        first = high * rows
        if high == 0:
            for row in range(rows):
                a, b = load(re, row), load(im, row)
                c, s = fnma(ps, b, multiply(pc, a)), fma(ps, a, multiply(pc, b))
                r, i = load(state_re, row), load(state_im, row)
                store(state_re, row, fnma(s, i, multiply(c, r)))
                store(state_im, row, fma(s, r, multiply(c, i)))
            continue
        bit = _lowest(high)
        rest = high & (high - 1)
        source = (_lowest(rest) + 1) * rows if rest else 0
        target, change = (bit + 1) * rows, bit * rows
        for row in range(rows):
            c, s = load(changes_re, change + row), load(changes_im, change + row)
            a, b = load(re, source + row), load(im, source + row)
            a, b = fnma(s, b, multiply(c, a)), fma(s, a, multiply(c, b))
            if bit > 0:
                store(re, target + row, a)
                store(im, target + row, b)
            c, s = fnma(ps, b, multiply(pc, a)), fma(ps, a, multiply(pc, b))
            r, i = load(state_re, first + row), load(state_im, first + row)
            store(state_re, first + row, fnma(s, i, multiply(c, r)))
            store(state_im, first + row, fma(s, r, multiply(c, i)))


@part
def _lowest(x: int) -> int:
    """The place of the lowest bit that is set."""
    bit = 0
    while not x >> bit & 1:
        bit += 1
    return bit


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
