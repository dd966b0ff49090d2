"""Maps of basis states: permutations into a second state, exchanges in place."""

from __future__ import annotations

from typing import Any

from quire_gpu_simulation.engine.jit import part


@part
def permute(re: Any, im: Any, to_re: Any, to_im: Any, columns: Any, offset: int, sources: Any) -> None:
    """Amplitude x of the target is the one at `offset` XOR `sources` of the low bits XOR `columns` of the others."""
    low_size = sources.shape[0]
    low = 0
    while (1 << low) < low_size:
        low += 1
    for high in range(1 << (columns.shape[0] - low)):
        source = offset
        for bit in range(columns.shape[0] - low):
            if high >> bit & 1:
                source ^= columns[low + bit]
        first = high << low
        for x in range(low_size):
            y = source ^ sources[x]
            to_re[first + x] = re[y]
            to_im[first + x] = im[y]


@part
def exchange(re: Any, im: Any, num_qubits: int, mask: int, value: int, flip: int) -> None:
    """Amplitudes x and x ^ flip change places wherever x & mask is `value`; `mask` has three bits."""
    a = mask & -mask
    rest = mask ^ a
    b = rest & -rest
    c = rest ^ b
    for k in range(1 << (num_qubits - 3)):
        x = ((k & ~(a - 1)) << 1) | (k & (a - 1))
        x = ((x & ~(b - 1)) << 1) | (x & (b - 1))
        x = ((x & ~(c - 1)) << 1) | (x & (c - 1)) | value
        y = x ^ flip
        re[x], re[y] = re[y], re[x]
        im[x], im[y] = im[y], im[x]
