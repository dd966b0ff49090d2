"""The decision: the first rule that matches, narrowed to the job's targets, relieved where those are overloaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from quire_policy.conditions import APPRAISALS, LOADS, concerns, described, holds, is_appraised, is_loaded
from quire_policy.facts import Facts, Load, Route

if TYPE_CHECKING:
    from quire_policy.rules import Relief, Rules

NO_LOAD: Final[Mapping[str, Load]] = {}
SIMULATOR: Final = "simulation"


def route(rules: Rules, facts: Facts, loads: Mapping[str, Load] = NO_LOAD) -> Route:
    """Where a piece of work runs, in order of preference, and why. Pure: equal facts and loads give equal routes.

    The first matching rule gives the order. A job that names targets of its own runs on those alone: in its own order,
    unless the rule has conditions, whose order among them then comes first. Then the first relief whose conditions
    hold of the work, of its first target's load and of what is said of the work there, and that can be done, is done.
    One that simulates `anyway` puts the simulator before the job's own targets.

    loads: by target; one that is not named has none.
    """
    decided = _ordered(rules, facts)
    busy = decided.targets[0]
    if busy not in loads and busy not in facts.appraised:
        return decided
    for relief in rules.reliefs:
        if _concerned(relief, busy, facts, loads) and concerns(relief.when, busy) and holds(relief.when, facts):
            relieved = _relieved(relief, decided, facts, loads)
            if relieved is not None:
                return relieved
    return decided


def _ordered(rules: Rules, facts: Facts) -> Route:
    rule = next(rule for rule in rules.rules if holds(rule.when, facts))
    reasons = [f"rule `{rule.name}` matches {described(rule.when)}"]
    if not facts.targets:
        return Route(rule.targets, (rule.name,), tuple(reasons))
    if not rule.when:
        return Route(facts.targets, (rule.name,), (*reasons, "the job names its targets: its own order decides"))
    preferred = tuple(target for target in rule.targets if target in facts.targets)
    others = tuple(target for target in facts.targets if target not in preferred)
    dropped = tuple(target for target in rule.targets if target not in facts.targets)
    if dropped:
        reasons.append(f"the job does not allow {', '.join(dropped)}")
    if not preferred:
        reasons.append("none of the rule's targets is the job's: its own order decides")
    elif others:
        reasons.append(f"the job also allows {', '.join(others)}")
    return Route((*preferred, *others), (rule.name,), tuple(reasons))


def _relieved(relief: Relief, decided: Route, facts: Facts, loads: Mapping[str, Load]) -> Route | None:
    """The route with the relief, or None where it cannot be done."""
    free = [target for target in decided.targets[1:] if not _concerned(relief, target, facts, loads)]
    match relief.do:
        case "switch":
            return _moved(relief, decided, next(iter(free), None), facts, loads)
        case "simulate":
            simulators = (target for target in free if target.partition(":")[0] == SIMULATOR)
            anyway = SIMULATOR if relief.anyway and decided.targets[0] != SIMULATOR else None
            return _moved(relief, decided, next(simulators, anyway), facts, loads)
        case "fewer-shots":
            if facts.shots is None or facts.min_shots is None or facts.min_shots >= facts.shots:
                return None
            done = f"{facts.min_shots} shots instead of {facts.shots}"
            return _noted(relief, decided, done, facts, loads, shots=facts.min_shots)
        case "delay":
            if facts.seconds_left is not None and facts.seconds_left <= relief.seconds:
                return None
            done = f"held back for {relief.seconds:g} s"
            return _noted(relief, decided, done, facts, loads, delay_seconds=relief.seconds)


def _concerned(relief: Relief, target: str, facts: Facts, loads: Mapping[str, Load]) -> bool:
    """Whether what is known of a target is what the relief is for."""
    return is_loaded(relief.when, target, loads) and is_appraised(relief.when, target, facts.appraised)


def _moved(relief: Relief, decided: Route, target: str | None, facts: Facts, loads: Mapping[str, Load]) -> Route | None:
    if target is None:
        return None
    targets = (target, *(other for other in decided.targets if other != target))
    return _noted(relief, decided, f"{target} instead of {decided.targets[0]}", facts, loads, targets=targets)


def _noted(
    relief: Relief, decided: Route, done: str, facts: Facts, loads: Mapping[str, Load], **changes: object
) -> Route:
    why = " and ".join(filter(None, (_load(relief, decided.targets[0], loads), _appraisal(relief, decided, facts))))
    reason = f"relief `{relief.name}`: {done}, because {decided.targets[0]} {why}"
    return msgspec.structs.replace(
        decided, rules=(*decided.rules, relief.name), reasons=(*decided.reasons, reason), **changes
    )


def _load(relief: Relief, busy: str, loads: Mapping[str, Load]) -> str:
    """The figures of a target's load, where the relief looks at them."""
    load = loads.get(busy)
    if load is None or not relief.when.keys() & set(LOADS):
        return ""
    return (
        f"has {load.waiting} tasks waiting, {load.wait_seconds:.1f} s to wait and "
        f"{load.error_rate:.0%} of its batches failing"
    )


def _appraisal(relief: Relief, decided: Route, facts: Facts) -> str:
    """What is said of the work there, where the relief looks at it."""
    known = facts.appraised.get(decided.targets[0])
    if not relief.when.keys() & set(APPRAISALS):
        return ""
    if known is None:
        return "is no device"
    said = ["is a device" if known.device else "is no device", f"costs up to {known.usd:.2f} USD"]
    if known.fidelity is not None:
        said.append(f"answers without an error with a chance of {known.fidelity:.2g}")
    if known.worth is not None:
        said.append(f"is expected to be better than the classical answer by {known.worth:.2%}")
    return ", ".join(said)
