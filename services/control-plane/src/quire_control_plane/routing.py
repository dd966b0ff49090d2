"""The routing rules in force, from the file that the settings name or the ones that ship with quire-policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quire_contracts.load import TargetLoad
from quire_policy import Acceptance, Facts, Fallback, Patience, Route, Rules, default_rules, load_rules, route

if TYPE_CHECKING:
    from pathlib import Path

Routing = Callable[[Facts], Route]
"""Where work should run, and why."""

Chains = Callable[[Facts], Fallback]
"""What is done for work that has no answer there."""

Accepts = Callable[[Facts], Acceptance]
"""What its answer has to satisfy."""

Patiences = Callable[[Facts], Patience]
"""For how long its answer is waited for."""

Down = Callable[[str, str], str | None]
"""Why a target takes no work of a tenant now; None if it does."""


@dataclass(frozen=True, slots=True)
class Routes:
    """The questions, answered by the rules of one file."""

    routing: Routing
    chain: Chains
    acceptance: Accepts
    patience: Patiences


def load_routes(rules_file: Path | None, loads: Callable[[], Mapping[str, TargetLoad]]) -> Routes:
    """Routing by the rules of a TOML file, or by the default rules, at the loads of the moment.

    loads: how busy each target is at present; one that is not named is not.

    Raises:
        RulesError: with every fault of the file, by rule and field.
    """
    rules: Rules = default_rules() if rules_file is None else load_rules(rules_file)
    return Routes(lambda facts: route(rules, facts, loads()), rules.chain, rules.acceptance, rules.patience)


def everything_up(_target: str, _tenant: str) -> None:
    """Every target takes work."""


def default_chain(facts: Facts) -> Fallback:
    """The chain of the rules that ship."""
    return default_rules().chain(facts)


def default_acceptance(facts: Facts) -> Acceptance:
    """What the rules that ship ask of answers."""
    return default_rules().acceptance(facts)


def default_patience(facts: Facts) -> Patience:
    """The patience of the rules that ship."""
    return default_rules().patience(facts)
