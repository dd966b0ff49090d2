"""The decision: the first rule that matches, narrowed to the targets that the job itself allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_policy.facts import Facts, Route

if TYPE_CHECKING:
    from quire_policy.rules import Rule, Rules


def route(rules: Rules, facts: Facts) -> Route:
    """Where a piece of work runs, in order of preference, and why. Pure: equal facts give equal routes.

    The first matching rule gives the order. A job that names targets of its own runs on those alone: the rule's
    order among them comes first, then the job's other targets in the job's order.
    """
    rule = next(rule for rule in rules.rules if _matches(rule, facts))
    reasons = [f"rule `{rule.name}` matches {_conditions(rule)}"]
    if not facts.targets:
        return Route(rule.targets, (rule.name,), tuple(reasons))
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


def _matches(rule: Rule, facts: Facts) -> bool:
    return all(_holds(condition, wanted, facts) for condition, wanted in rule.when.items())


def _holds(condition: str, wanted: tuple[str, ...] | int | bool, facts: Facts) -> bool:  # noqa: FBT001 (data, no switch)
    if condition == "exact":
        return (facts.shots is None) is wanted
    if isinstance(wanted, tuple):
        return getattr(facts, condition) in wanted
    side, _, fact = condition.partition("_")
    value = getattr(facts, fact)
    if value is None:
        return False
    return bool(value >= wanted if side == "min" else value <= wanted)


def _conditions(rule: Rule) -> str:
    if not rule.when:
        return "everything"
    parts = []
    for condition, wanted in rule.when.items():
        text = " or ".join(wanted) if isinstance(wanted, tuple) else str(wanted).lower()
        parts.append(f"{condition} = {text}")
    return ", ".join(parts)
