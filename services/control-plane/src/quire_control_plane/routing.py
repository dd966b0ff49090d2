"""The routing rules in force, from the file that the settings name or the ones that ship with quire-policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from quire_contracts.load import TargetLoad
from quire_policy import Facts, Route, default_rules, load_rules, route

if TYPE_CHECKING:
    from pathlib import Path

Routing = Callable[[Facts], Route]
"""Where work should run, and why."""


def load_routing(rules_file: Path | None, loads: Callable[[], Mapping[str, TargetLoad]]) -> Routing:
    """Routing by the rules of a TOML file, or by the default rules, at the loads of the moment.

    loads: how busy each target is at present; one that is not named is not.

    Raises:
        RulesError: with every fault of the file, by rule and field.
    """
    rules = default_rules() if rules_file is None else load_rules(rules_file)
    return lambda facts: route(rules, facts, loads())
