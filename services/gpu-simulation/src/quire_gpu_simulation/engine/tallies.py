"""What becomes of a row's tallies: outcomes as octets, or values and standard errors."""

from __future__ import annotations

import math
from typing import Any

from quire_gpu_simulation.engine.jit import part
from quire_gpu_simulation.engine.phases import is_odd


@part
def write(found: Any, tallies: Any, entries: int, bits: Any, at: int, outcomes: Any, out: Any) -> None:
    """Write entries from `at` on in the layout of `quire_quantum.counts`."""
    octets = outcomes.shape[1]
    for entry in range(entries):
        x = found[entry]
        out[at + entry] = tallies[entry]
        if bits.plain:
            for octet in range(octets):
                outcomes[at + entry, octet] = x >> 8 * (octets - 1 - octet) & 255
            continue
        for octet in range(octets):
            outcomes[at + entry, octet] = 0
        for k in range(len(bits.bits)):
            bit = bits.bits[k]
            outcomes[at + entry, octets - 1 - bit // 8] |= (x >> bits.places[k] & 1) << bit % 8


@part
def value(plan: Any, pair: int, x: int) -> float:
    """One shot's value."""
    if len(plan.tables):
        looked_up: float = plan.tables[pair, x]
        return looked_up
    found = 0.0
    for term in range(plan.starts[pair], plan.starts[pair + 1]):
        found += -plan.weights[term] if is_odd(x & plan.masks[term]) else plan.weights[term]
    return found


@part
def estimate(
    plan: Any, group: int, found: Any, tallies: Any, entries: int, shots: int, scratch: Any, values: Any, errors: Any
) -> None:
    """Add a group's means to `values` [observables] and their variances to `errors`."""
    for pair in range(len(plan.groups)):
        if plan.groups[pair] != group:
            continue
        mean = 0.0
        for entry in range(entries):
            scratch[entry] = value(plan, pair, found[entry])
            mean += tallies[entry] * scratch[entry]
        mean /= shots
        spread = 0.0
        for entry in range(entries):
            spread += tallies[entry] * (scratch[entry] - mean) ** 2
        column = plan.observables[pair]
        values[column] += mean
        errors[column] += spread / shots / (shots - 1) if shots > 1 else plan.bounds[pair] ** 2


@part
def rooted(errors: Any) -> None:
    """Standard errors of variances."""
    for column in range(len(errors)):
        errors[column] = math.sqrt(errors[column])
