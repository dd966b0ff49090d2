"""Random numbers that are the same on every machine and with every numpy, drawn from a job's seed."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def derived_seed(seed: int, purpose: str, bits: int) -> int:
    """A seed of `bits` bits for one purpose, independent of those for others; any integer may be `seed`."""
    digest = hashlib.sha256(f"{purpose}|{seed}".encode()).digest()
    return int.from_bytes(digest[:16], "big") >> (128 - bits)


def uniform(seed: int, purpose: str, rows: int, columns: int) -> NDArray[np.float64]:
    """Numbers in [0, 1), float64 [rows, columns].

    They are made from PCG64's raw output, whose stream numpy promises to keep (NEP 19), unlike its distributions'.
    """
    raw = np.random.PCG64(derived_seed(seed, purpose, 128)).random_raw(rows * columns)
    numbers: NDArray[np.float64] = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers.reshape(rows, columns)
