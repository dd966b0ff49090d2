"""A job's budget shared out to its children: by need, when each begins, and of what is left then.

What is left is the budget less what children that have ended used, and less the shares of those that are under way. So
all shares together never come over the budget, and what a child leaves of its own is there for whoever begins after its
end: a sibling, the merge, the next level.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from quire_control_plane.timings import quantum_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from quire_contracts.family import Child, Family
    from quire_contracts.record import JobRecord


def shared_out(record: JobRecord, family: Family, births: Sequence[Child]) -> tuple[Child, ...]:
    """The children that begin now, each with its share of what is left of each budget that the job has.

    A share is to what is left as the child's `need` is to the needs of all who have not begun, later plans' included.
    Shots are whole, and what rounding leaves goes to who comes after.

    Args:
        record: the job, with what its ended children used.
        family: its children, those that begin still as planned.
        births: those that begin, in their order.
    """
    held = [child for child in family.children if child.state == "running"]
    begun = {child.job_id for child in births}
    waiting = [child.need for child in family.children if child.state == "planned" and child.job_id not in begun]
    needs, others = [child.need for child in births], math.fsum((*waiting, family.need_to_come))
    shots_left = _left(record.max_shots, record.shots, (child.max_shots for child in held))
    shots = _dealt(shots_left, needs, others, whole=True)
    usd = _dealt(_left(record.max_usd, record.cost_usd, (child.max_usd for child in held)), needs, others)
    used = quantum_seconds(record)
    seconds = _dealt(_left(record.max_seconds, used, (child.max_seconds for child in held)), needs, others)
    shares = zip(births, shots, usd, seconds, strict=True)
    return tuple(
        msgspec.structs.replace(child, max_shots=None if most is None else int(most), max_usd=money, max_seconds=time)
        for child, most, money, time in shares
    )


def _left(budget: float | None, used: float, held: Iterable[float | None]) -> float | None:
    """What is left of a budget; None where there is none."""
    return None if budget is None else max(0.0, budget - used - math.fsum(share or 0.0 for share in held))


def _dealt(
    left: float | None, needs: Sequence[float], others: float, *, whole: bool = False
) -> list[float] | list[None]:
    """A share for each need; they and the part of the `others` are together what is left, and never more."""
    if left is None:
        return [None] * len(needs)
    shares = []
    for number, need in enumerate(needs):
        total = math.fsum((*needs[number:], others))
        share = left if total <= need else min(left, left * need / total)
        shares.append(float(math.floor(share)) if whole else share)
        left = max(0.0, left - shares[-1])
    return shares
