"""What any loop has to keep to, whatever it varies: a round fits a task, and all rounds fit its job's record."""

from __future__ import annotations

from typing import Final

from quire_contracts import limits
from quire_contracts.optimizers import CmaEs, Nft, Optimizer, ParameterShift, Scipy, fewest_sets
from quire_contracts.value import Problem

_ROUND_BYTES: Final = 135
"""Of a round in a record's history, at most."""

_NUMBER: Final = 22
"""Bytes of a number in JSON, at most."""

CIRCUIT_BYTES: Final = 700
"""Of each of several circuits of a loop, without its angles, at most."""

ANGLE_BYTES: Final = 56
"""Of an angle there: its spectrum, and its place in a start point."""

_ROOM: Final = 165_000
"""Of the bytes of a record, what is left for history and optimiser beside matrices, executions and decisions."""


def round_rules(optimizer: Optimizer, parameters: int, numbers: int, cure: str, runs: int = 1) -> list[Problem]:
    """A round's parameter sets are one task, which has a size; COBYLA's steps go from the first down to the last.

    Args:
        optimizer: which one.
        parameters: how many it has.
        numbers: of the structure, for each parameter set; as many or more.
        cure: what to do where there are too many, besides another optimiser or a smaller population.
        runs: of the optimiser, side by side.
    """
    if isinstance(optimizer, Scipy) and optimizer.method == "cobyla" and optimizer.tolerance > optimizer.step:
        return [
            Problem(
                pointer="/algorithm/optimizer/tolerance",
                reason=f"the last step, {optimizer.tolerance:g}, would be longer than the first, {optimizer.step:g}",
                limit=f"at most the step, {optimizer.step:g}",
                hint="lower the tolerance or raise the step",
            )
        ]
    sets, most = runs * fewest_sets(optimizer, parameters), limits.LOOP_NUMBERS // max(1, numbers)
    if sets <= most:
        return record_rules(optimizer, parameters, runs)
    population = isinstance(optimizer, CmaEs) and most > 0
    return [
        Problem(
            pointer="/algorithm/optimizer/population" if population else "/algorithm",
            reason=f"a round would have {sets} parameter sets of {numbers} angles",
            limit=f"at most {limits.LOOP_NUMBERS} numbers, here {most} parameter sets",
            hint="lower the population" if population else f"{cure}, or an optimiser without a gradient",
        )
    ]


def record_rules(optimizer: Optimizer, parameters: int, runs: int = 1, steps: int = 1) -> list[Problem]:
    """The history of all rounds and the state of every optimiser run are in the job's record, which is one message.

    So are the circuits of a climb of several steps, whose parameters grow evenly up to the last one's.
    """
    each, once = _state_bytes(optimizer, parameters, runs)
    if steps > 1:
        once += steps * CIRCUIT_BYTES + ANGLE_BYTES * parameters * (steps + 1) // 2
    most = max(1, (_ROOM - once) // each)
    if optimizer.rounds <= most:
        return []
    return [
        Problem(
            pointer="/algorithm/optimizer/rounds",
            reason=f"the record of {optimizer.rounds} rounds with {parameters} parameters would be too large",
            limit=f"at most {most} rounds of them",
            hint="ask for fewer rounds, and go on from this job with `from`",
        )
    ]


def _state_bytes(optimizer: Optimizer, parameters: int, runs: int) -> tuple[int, int]:
    """Of each round, and once for all: the optimiser's numbers, and the best parameters."""
    match optimizer:
        case CmaEs():
            numbers = parameters * (parameters + 1) // 2 + 8 * parameters
        case Nft():
            numbers = 3 * parameters
        case ParameterShift() | Scipy(method="l-bfgs-b"):
            numbers = 5 * parameters
        case _:
            numbers = 3 * parameters
    replayed = 3 + parameters * (optimizer.method == "l-bfgs-b") if isinstance(optimizer, Scipy) else 0
    return _ROUND_BYTES + _NUMBER * replayed * runs, _NUMBER * (numbers * runs + parameters)
