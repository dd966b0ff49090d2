"""Exact values of Pauli strings: block by block, all parities of a block's low bits by one small transform."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from quire_gpu_simulation.engine.jit import part
from quire_gpu_simulation.engine.phases import is_odd
from quire_gpu_simulation.engine.vector import (
    add,
    exchange_1,
    exchange_2,
    exchange_4,
    exchange_8,
    fma,
    fnma,
    lanes,
    load,
    multiply,
    store,
    subtract,
    total,
    zeros,
)

BLOCK: Final = 256
"""Amplitudes transformed at a time."""


@part
def _products(re: Any, im: Any, first: int, rows: int, flip: int, odd: int, out: Any) -> None:
    """Row by row the real (odd: imaginary) part of conj(state[b ^ flip]) state[b]."""
    width = lanes(re)
    beyond, within = flip // width, flip % width
    for row in range(rows):
        ar, ai = load(re, first + row), load(im, first + row)
        if flip == 0:
            store(out, row, fma(ai, ai, multiply(ar, ar)))
            continue
        br, bi = load(re, (first + row) ^ beyond), load(im, (first + row) ^ beyond)
        if within & 1:
            br, bi = exchange_1(br), exchange_1(bi)
        if within & 2:
            br, bi = exchange_2(br), exchange_2(bi)
        if within & 4:
            br, bi = exchange_4(br), exchange_4(bi)
        if within & 8:
            br, bi = exchange_8(br), exchange_8(bi)
        if odd:
            store(out, row, fnma(bi, ar, multiply(br, ai)))
        else:
            store(out, row, fma(bi, ai, multiply(br, ar)))


@part
def _transform(out: Any, size: int) -> None:
    """A Walsh-Hadamard transform in place."""
    width = lanes(out)
    stride = 1
    while stride < size:
        if stride < width:
            for base in range(0, size, 2 * stride):
                for x in range(base, base + stride):
                    a, b = out[x], out[x + stride]
                    out[x], out[x + stride] = a + b, a - b
        else:
            apart = stride // width
            for k in range(size // width // 2):
                row = ((k & ~(apart - 1)) << 1) | (k & (apart - 1))
                a, b = load(out, row), load(out, row + apart)
                store(out, row, add(a, b))
                store(out, row + apart, subtract(a, b))
        stride *= 2


@part
def strings(re: Any, im: Any, size: int, plan: Any, scratch: Any, out: Any) -> None:
    """Add the plan's values to `out` [observables]; `scratch` holds a block."""
    width = lanes(re)
    block = min(BLOCK, max(size, width))
    low = min(size, block) - 1
    for group in range(len(plan.flips)):
        for first in range(0, size, block):
            _products(re, im, first // width, block // width, plan.flips[group], plan.odd[group], scratch)
            _transform(scratch, block)
            for term in range(plan.starts[group], plan.starts[group + 1]):
                mask = plan.masks[term]
                found = plan.signs[term] * np.float64(scratch[mask & low])
                if is_odd(first & mask):
                    found = -found
                for column in range(len(out)):
                    out[column] += found * plan.weights[term, column]


@part
def tabled(re: Any, im: Any, size: int, tables: Any, out: Any) -> None:
    """Add the expectation of diagonal observables [observables, 2^n] to `out`."""
    width = lanes(re)
    if size < width:
        for x in range(size):
            p = re[x] * re[x] + im[x] * im[x]
            for column in range(tables.shape[0]):
                out[column] += p * tables[column, x]
        return
    block = min(BLOCK, size) // width
    for column in range(tables.shape[0]):
        table = tables[column]
        for first in range(0, size // width, block):
            found = zeros(re)
            for row in range(first, first + block):
                r, i = load(re, row), load(im, row)
                found = fma(load(table, row), fma(i, i, multiply(r, r)), found)
            out[column] += np.float64(total(found))
