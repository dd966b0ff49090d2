"""A problem solved in parts: what may be said about how, and what is told of it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from quire_contracts import limits
from quire_contracts.value import Key, Seconds, Strict, Text, Value


class Partition(Strict, frozen=True):
    """Solve a problem in parts of at most `max_variables` variables each, then put them together.

    The parts are communities of the graph of the problem's couplings, cut in balanced halves where they are too wide.
    Each is a job of its own, and so is the smaller problem of which parts to turn over, which is partitioned itself
    where it is too wide. At last the answer is polished on a CPU: by flips of one variable, or of two, as long as each
    makes the energy less, and at most `polish_moves` of them; 0 leaves it as the merge gave it.

    `allow_partial` goes on without the parts that have no answer; else the job ends with the classical one.
    """

    max_variables: Annotated[int, Meta(ge=4, le=limits.QUBITS)] = limits.PART_VARIABLES
    polish_moves: Annotated[int, Meta(ge=0, le=limits.POLISH_MOVES)] = limits.POLISH_MOVES
    allow_partial: bool = False


class Stage(Value, frozen=True):
    """What the answer of a partitioned problem was worth at one stage of its making.

    `value` is worked out from the problem itself where it is `feasible`, else it is its encoding's.
    """

    value: float
    feasible: bool = True


class PartReport(Value, frozen=True):
    """One part: its variables, and the job that solved it; `source` is `quantum`, `classical` or `none`."""

    name: Key
    variables: tuple[int, ...]
    source: Annotated[str, Meta(max_length=32)]
    job_id: Key | None = None
    """None where nothing couples the part's variables: there was nothing to solve."""

    reason: Text = ""
    """Why its answer is not the quantum one, where it is not."""


class Polish(Value, frozen=True):
    """The local descent: how many flips it made of how many it might, and how long it took."""

    moves: int
    budget: int
    seconds: Seconds


class Partitioned(Value, frozen=True):
    """How a problem was taken apart and put together again; the quantum computers' part apart from the CPU's.

    `joined` is the answer of the parts laid side by side, `merged` that after the parts were turned as the merge said,
    `polished` the last one, which is the job's. `coupled_weight` is the share of all couplings' absolute weight that
    lies within the parts, and that the parts' jobs have seen.
    """

    max_variables: int
    parts: tuple[PartReport, ...]
    joined: Stage
    merged: Stage
    polished: Stage
    polish: Polish
    merge_source: Annotated[str, Meta(max_length=32)]
    """Whose answer the merge has: `quantum`, `classical`, or `none` where no two parts were coupled."""

    coupled_weight: float
    method: Annotated[str, Meta(max_length=128)] = ""
