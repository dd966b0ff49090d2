"""What a document may say of the earlier job that its loop goes on from, beyond what its type says."""

from __future__ import annotations

import msgspec

from quire_contracts.continuation import From
from quire_contracts.value import Problem


def continuation_rules(start: From, initial: tuple[float, ...], rounds: int) -> list[Problem]:
    """A loop begins at one place, and goes on after rounds that it has."""
    problems = []
    if initial:
        problems.append(
            Problem(
                pointer="/algorithm/initial",
                reason="the loop cannot begin both at these angles and where an earlier job was",
                hint="leave out `initial`, or `from`",
            )
        )
    if not isinstance(start.round, msgspec.UnsetType) and start.round > rounds:
        problems.append(
            Problem(
                pointer="/from/round",
                reason=f"round {start.round} of the earlier job is beyond this one's last, {rounds}",
                limit=f"at most {rounds}",
                hint="name an earlier round, or raise `rounds`: those of the earlier job count",
            )
        )
    if start.interpolate and not isinstance(start.round, msgspec.UnsetType):
        problems.append(
            Problem(
                pointer="/from/interpolate",
                reason="rounds of a shallower loop are not rounds of this one",
                hint="leave out `round` to start at stretched parameters",
            )
        )
    return problems
