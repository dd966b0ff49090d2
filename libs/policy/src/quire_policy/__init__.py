"""Rules in, decision out."""

from quire_policy.facts import Facts, Load, Route
from quire_policy.intake import Turned, turned_away
from quire_policy.route import route
from quire_policy.rules import Refusal, Relief, Rule, Rules, RulesError, default_rules, load_rules, parse_rules

__all__ = [
    "Facts",
    "Load",
    "Refusal",
    "Relief",
    "Route",
    "Rule",
    "Rules",
    "RulesError",
    "Turned",
    "default_rules",
    "load_rules",
    "parse_rules",
    "route",
    "turned_away",
]
