"""Whether a new job may come in now, and when it should come again if not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from quire_policy.conditions import concerns, described, holds, is_loaded
from quire_policy.route import route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quire_policy.facts import Facts, Load
    from quire_policy.rules import Rules

SOONEST: Final = 1.0
LATEST: Final = 3600.0


class Turned(msgspec.Struct, frozen=True):
    """A job turned away: by which rule, which target is behind and how far, and when it is worth coming again."""

    rule: str
    target: str
    reason: str
    limit: str
    again_seconds: float


def turned_away(rules: Rules, facts: Facts, loads: Mapping[str, Load]) -> Turned | None:
    """Why a new job should not come in now, or None where it may. Pure, as `route`.

    It is turned away by the first refusal that holds of it and of the load of the target to which its work would go
    now, relief included: while there is another way for it, it is let in.

    facts: of the job's first work; what is not known before the program was looked at is None there.
    """
    if not rules.refusals or not loads:
        return None
    target = route(rules, facts, loads).targets[0]
    for refusal in rules.refusals:
        when = refusal.when
        if is_loaded(when, target, loads) and concerns(when, target) and holds(when, facts):
            load = loads[target]
            reason = f"{target} has {load.waiting} tasks waiting and {load.wait_seconds:.0f} s to wait"
            limit = when.get("min_wait_seconds")
            over = load.wait_seconds - limit if isinstance(limit, (int, float)) else refusal.seconds
            again = min(LATEST, max(SOONEST, math.ceil(over)))
            return Turned(refusal.name, target, reason, described(when), again)
    return None
