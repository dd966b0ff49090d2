"""Rules in, decision out."""

from quire_policy.acceptance import Acceptance, Accepted, Figures, accept, objections
from quire_policy.facts import Facts, Load, Route
from quire_policy.fallback import Fallback, Next, Trouble, next_step
from quire_policy.intake import Turned, turned_away
from quire_policy.patience import Choice, Outlook, Patience, break_even, choose, comes_too_late
from quire_policy.route import route
from quire_policy.rules import Refusal, Relief, Rule, Rules, RulesError, default_rules, load_rules, parse_rules

__all__ = [
    "Acceptance",
    "Accepted",
    "Choice",
    "Facts",
    "Fallback",
    "Figures",
    "Load",
    "Next",
    "Outlook",
    "Patience",
    "Refusal",
    "Relief",
    "Route",
    "Rule",
    "Rules",
    "RulesError",
    "Trouble",
    "Turned",
    "accept",
    "break_even",
    "choose",
    "comes_too_late",
    "default_rules",
    "load_rules",
    "next_step",
    "objections",
    "parse_rules",
    "route",
    "turned_away",
]
