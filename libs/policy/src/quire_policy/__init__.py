"""Rules in, decision out."""

from quire_policy.facts import Facts, Route
from quire_policy.route import route
from quire_policy.rules import Rule, Rules, RulesError, default_rules, load_rules, parse_rules

__all__ = ["Facts", "Route", "Rule", "Rules", "RulesError", "default_rules", "load_rules", "parse_rules", "route"]
