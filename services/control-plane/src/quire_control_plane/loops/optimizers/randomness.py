"""The state of a random generator as plain JSON."""

from __future__ import annotations

from typing import Final

import numpy as np

Random = dict[str, str]
"""The complete state of a PCG64 generator, its 128-bit integers as text: JSON readers disagree on those above 2^53."""

_NAME: Final = "PCG64"


def seeded(seed: int) -> Random:
    """The state of a fresh generator."""
    return dump(np.random.Generator(np.random.PCG64(seed)))


def dump(generator: np.random.Generator) -> Random:
    """The state of a PCG64 generator."""
    state = generator.bit_generator.state
    return {
        "state": str(state["state"]["state"]),
        "inc": str(state["state"]["inc"]),
        "has_uint32": str(state["has_uint32"]),
        "uinteger": str(state["uinteger"]),
    }


def load(random: Random) -> np.random.Generator:
    """A generator that goes on where the dumped one was."""
    bits = np.random.PCG64(0)  # any seed: without one, the system would be asked
    bits.state = {
        "bit_generator": _NAME,
        "state": {"state": int(random["state"]), "inc": int(random["inc"])},
        "has_uint32": int(random["has_uint32"]),
        "uinteger": int(random["uinteger"]),
    }
    return np.random.Generator(bits)
