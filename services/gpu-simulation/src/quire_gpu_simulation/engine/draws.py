"""Shots: cells of a cumulative distribution found through a guide table, each row from random numbers of its own.

Chen and Asau's guide table ("On generating random variates from an empirical distribution", AIIE Transactions 6, 1974)
finds an outcome in about one step. Where there are many more outcomes than shots the cells hold several outcomes, and
only those are looked into that were hit. Random numbers are xoshiro256++ (Blackman and Vigna, "Scrambled linear
pseudorandom number generators", ACM TOMS 47, 2021), seeded through SplitMix64 as its authors advise.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from quire_gpu_simulation.engine.jit import part
from quire_gpu_simulation.engine.vector import fma, lanes, load, multiply, store

FEW: Final = 4_096
"""Up to so many outcomes each has a cell of its own."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_ROTATED: Final = (np.uint64(23), np.uint64(41), np.uint64(45), np.uint64(19))
_UNIT: Final = 2.0**-53
_ALL: Final = np.uint64(64)
_S11, _S17, _S27, _S30, _S31 = (np.uint64(by) for by in (11, 17, 27, 30, 31))


def cells(outcomes: int, shots: int) -> int:
    """How many cells the outcomes, a power of two, are drawn from: by their number and the shots alone."""
    return min(outcomes, max(FEW, 1 << max(shots - 1, 1).bit_length()))


@part
def _mixed(z: Any) -> Any:
    z = (z ^ (z >> _S30)) * _FIRST
    z = (z ^ (z >> _S27)) * _SECOND
    return z ^ (z >> _S31)


@part
def stream(key: Any, row: int, group: int) -> Any:
    """The random state of a circuit run: `key` is its member's, two uint64."""
    place = (np.uint64(row), np.uint64(group))
    a = _mixed(_mixed(_mixed(key[0] + _GOLDEN) ^ place[0]) + _GOLDEN ^ place[1])
    b = _mixed(_mixed(_mixed(key[1] + _GOLDEN + _GOLDEN) ^ place[0]) + _GOLDEN ^ place[1])
    return _mixed(a + _GOLDEN), _mixed(a + _GOLDEN + _GOLDEN), _mixed(b + _GOLDEN), _mixed(b + _GOLDEN + _GOLDEN)


@part
def _rotated(x: Any, by: Any, rest: Any) -> Any:
    return (x << by) | (x >> rest)


@part
def _next(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Sixty-four random bits, and the state after them."""
    bits = _rotated(a + d, _ROTATED[0], _ROTATED[1]) + a
    t = b << _S17
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = _rotated(d, _ROTATED[2], _ROTATED[3])
    return bits, a, b, c, d


@part
def probabilities(re: Any, im: Any, size: int, bits: Any, out: Any) -> None:
    """Probabilities of the measured qubits' values, `out` [2^measured]."""
    if bits.plain:
        width = lanes(re)
        if size < width:
            for x in range(size):
                out[x] = re[x] * re[x] + im[x] * im[x]
        else:
            for row in range(size // width):
                r, i = load(re, row), load(im, row)
                store(out, row, fma(i, i, multiply(r, r)))
        return
    count = len(bits.qubits)
    out[: 1 << count] = 0.0
    for x in range(size):
        y = 0
        for place in range(count):
            y |= (x >> bits.qubits[place] & 1) << place
        out[y] += re[x] * re[x] + im[x] * im[x]


@part
def _cumulated(p: Any, size: int, count: int, edges: Any) -> int:
    """Cumulative sums over `count` cells of equal size; the last cell that adds to them."""
    each = size // count
    reached = 0.0
    if each == 1 and count >= 4:  # noqa: PLR2004 - four at a time: one addition waits for another, not for four
        for cell in range(0, count, 4):
            first = np.float64(p[cell])
            second = first + np.float64(p[cell + 1])
            third = second + np.float64(p[cell + 2])
            edges[cell], edges[cell + 1], edges[cell + 2] = reached + first, reached + second, reached + third
            reached += third + np.float64(p[cell + 3])
            edges[cell + 3] = reached
    else:
        for cell in range(count):
            inside = 0.0
            for x in range(cell * each, (cell + 1) * each):
                inside += np.float64(p[x])
            reached += inside
            edges[cell] = reached
    last = count - 1
    while last > 0 and edges[last] == edges[last - 1]:
        last -= 1
    return last


@part
def _guided(edges: Any, count: int, guide: Any) -> None:
    """guide[g]: the first cell that does not end before g/count of the total; without a branch in either loop."""
    scale = count / edges[count - 1]
    for at in range(count):
        guide[at] = 0
    for cell in range(count):
        guide[min(int(edges[cell] * scale), count - 1) + 1] = cell + 1
    reached = 0
    for at in range(count):
        reached = max(reached, guide[at])
        guide[at] = reached


@part
def _high(word: Any, shift: Any) -> Any:
    """The bits from `shift` on; a shift by all of them would be undefined."""
    return np.int64(word >> shift) if shift < _ALL else np.int64(0)


@part
def _cell(edges: Any, cell: int, last: int, place: float) -> int:
    """The first cell from `cell` on that ends behind `place`; the first step, which is mostly enough, has no branch."""
    cell += int(edges[cell] <= place)
    while cell < last and edges[cell] <= place:
        cell += 1
    return min(cell, last)


@part
def draw(p: Any, size: int, count: int, shots: int, random: Any, room: Any, found: Any, tallies: Any) -> int:
    """Draw `shots` outcomes; write those met, rising, and how often; returns how many they are."""
    edges, guide, hits = room.edges, room.guide, room.hits
    last = _cumulated(p, size, count, edges)
    _guided(edges, count, guide)
    whole = edges[count - 1]
    a, b, c, d = random
    # Of a random word the highest bits are the guide's place, and the highest 53 the number in [0, 1).
    unit, bits = whole * _UNIT, 0
    while count >> bits > 1:
        bits += 1
    shift = np.uint64(64 - bits)
    if count == size:
        for _ in range(shots):
            word, a, b, c, d = _next(a, b, c, d)
            place = np.float64(np.int64(word >> _S11)) * unit
            hits[_cell(edges, guide[_high(word, shift)], last, place)] += 1
        entries = 0
        for cell in range(last + 1):
            found[entries], tallies[entries] = cell, hits[cell]
            entries += int(hits[cell] > 0)
            hits[cell] = 0
        return entries
    for shot in range(shots):
        word, a, b, c, d = _next(a, b, c, d)
        place = np.float64(np.int64(word >> _S11)) * unit
        cell = _cell(edges, guide[_high(word, shift)], last, place)
        hits[cell] += 1
        room.cell_of[shot], room.place_of[shot] = cell, place
    return _inside(p, size // count, count, shots, room, found, tallies)


@part
def _inside(p: Any, each: int, count: int, shots: int, room: Any, found: Any, tallies: Any) -> int:
    """Look into the cells that were hit: shots by cell, then by the cell's own cumulative sums."""
    hits, starts = room.hits, room.guide
    begun = 0
    for cell in range(count):
        starts[cell] = begun
        begun += hits[cell]
    for shot in range(shots):
        cell = room.cell_of[shot]
        room.sorted_of[starts[cell]] = room.place_of[shot]
        starts[cell] += 1
    entries = 0
    for cell in range(count):
        if not hits[cell]:
            continue
        reached = room.edges[cell - 1] if cell else 0.0
        last = 0
        for x in range(each):
            q = np.float64(p[cell * each + x])
            last = x if q > 0.0 else last
            reached += q
            room.inner[x] = reached
        for shot in range(starts[cell] - hits[cell], starts[cell]):
            place = room.sorted_of[shot]
            low, high = 0, last
            while low < high:
                middle = (low + high) // 2
                if room.inner[middle] > place:
                    high = middle
                else:
                    low = middle + 1
            room.inner_hits[low] += 1
        for x in range(last + 1):
            found[entries], tallies[entries] = cell * each + x, room.inner_hits[x]
            entries += int(room.inner_hits[x] > 0)
            room.inner_hits[x] = 0
        hits[cell] = 0
    return entries
