"""Mirror circuits: a circuit, its inverse, and a flip of some qubits; every shot gives the same answer, known before.

Source of the idea: Proctor et al., "Measuring the capabilities of quantum computers" (arXiv:2008.11294). All jobs
of one width have one structure; what they answer is in their angles alone, so a result in the wrong hands is seen.
"""

from __future__ import annotations

import math
import random

HEAD = 'OPENQASM 3.0; include "stdgates.inc";'


def program(qubits: int, angles: list[float] | None = None, layers: int = 2) -> str:
    """The circuit with literal angles, or with one input for each of them; see `angles_of`."""
    count = qubits * (2 * layers + 1)
    words = [repr(angle) for angle in angles] if angles else [f"t{index}" for index in range(count)]
    inputs = "" if angles else " ".join(f"input float {word};" for word in words)
    there = [(name, qubit) for _ in range(layers) for name in ("ry", "rz") for qubit in range(qubits)]
    lines: list[str] = []
    for sign, order in (("", list(enumerate(there))), ("-", list(enumerate(there))[::-1])):
        for index, (name, qubit) in order:
            last_of_layer = name == "rz" and qubit == qubits - 1
            chain = [f"cx q[{first}], q[{first + 1}];" for first in range(qubits - 1)]
            gate = f"{name}({sign}({words[index]})) q[{qubit}];"
            if sign:
                lines += [*reversed(chain), gate] if last_of_layer else [gate]
            else:
                lines += [gate, *chain] if last_of_layer else [gate]
    lines += [f"rx({word}) q[{qubit}];" for qubit, word in enumerate(words[len(there) :])]
    return f"{HEAD} {inputs} qubit[{qubits}] q; bit[{qubits}] c; {' '.join(lines)} c = measure q;"


def angles_of(qubits: int, answer: str, seed: int, layers: int = 2) -> list[float]:
    """Angles, in radians, with which every shot gives `answer` (right-most bit: qubit 0), whatever the seed."""
    order = random.Random(seed)
    flips = [math.pi if bit == "1" else 0.0 for bit in reversed(answer)]
    return [order.uniform(-3, 3) for _ in range(2 * qubits * layers)] + flips


def answers(qubits: int, count: int, seed: int) -> list[str]:
    """Different answers for `count` circuits of one sweep or batch."""
    return [format(each, f"0{qubits}b") for each in random.Random(seed).sample(range(2**qubits), count)]
