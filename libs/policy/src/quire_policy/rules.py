"""Routing rules as data: read from TOML, checked, with every fault listed at once."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

TARGET: Final = re.compile(r"^[a-z0-9-]{1,32}(:[A-Za-z0-9_.-]{1,64})?$")
WORDS: Final = ("kind", "phase", "priority", "tenant", "project")
"""Facts that are words: a condition gives the list of words it accepts."""

NUMBERS: Final = ("qubits", "shots", "parameter_sets")
"""Facts that are numbers: a condition gives `min_<fact>`, `max_<fact>` or both. Exact work has no shots."""

CONDITIONS: Final = frozenset({*WORDS, *(f"{side}_{fact}" for side in ("min", "max") for fact in NUMBERS), "exact"})


class Rule(msgspec.Struct, frozen=True):
    """If every condition of `when` holds, work goes to `targets`, the first that can take it."""

    name: str
    targets: tuple[str, ...]
    when: dict[str, tuple[str, ...] | int | bool]


class Rules(msgspec.Struct, frozen=True):
    """Rules in order: the first that matches decides. The last one matches always, so that there is a decision."""

    rules: tuple[Rule, ...]


class RulesError(ValueError):
    """A rules file that cannot be used; `faults` names each fault with its rule and field."""

    def __init__(self, source: str, faults: list[str]) -> None:
        """Keep the faults in the file's order."""
        super().__init__("\n".join([f"{source}: {len(faults)} fault(s)", *(f"  {fault}" for fault in faults)]))
        self.faults = tuple(faults)


def default_rules() -> Rules:
    """The rules that ship with this package, `default_rules.toml`."""
    text = resources.files("quire_policy").joinpath("default_rules.toml").read_text(encoding="utf-8")
    return parse_rules(text, "default_rules.toml")


def load_rules(path: Path) -> Rules:
    """The rules of a TOML file.

    Raises:
        RulesError: with every fault of the file.
        OSError: if the file cannot be read.
    """
    return parse_rules(path.read_text(encoding="utf-8"), path.name)


def parse_rules(text: str, source: str) -> Rules:
    """The rules of a TOML text; `source` names it in errors.

    The text is a list of `[[rule]]` tables with `name`, `targets` and an optional table `when`.

    Raises:
        RulesError: with every fault of the text.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(source, [f"not TOML: {error}"]) from None
    faults = [f"unknown table `{key}`; only [[rule]] is known" for key in tables if key != "rule"]
    rows = tables.get("rule", [])
    rules = [_rule(number, row, faults) for number, row in enumerate(rows, start=1)]
    names = [rule.name for rule in rules]
    faults += [f"rule `{name}`: the name stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if not rules or rules[-1].when:
        faults.append("the last rule must have no conditions, so that every piece of work has a target")
    if faults:
        raise RulesError(source, faults)
    return Rules(tuple(rules))


def _rule(number: int, row: object, faults: list[str]) -> Rule:
    fields = row if isinstance(row, dict) else {}
    name = fields.get("name") if isinstance(fields.get("name"), str) else f"number {number}"
    if "name" not in fields:
        faults.append(f"rule {name}: `name` is missing")
    faults += [
        f"rule `{name}`: unknown field `{field}`" for field in fields if field not in {"name", "targets", "when"}
    ]
    targets = fields.get("targets", [])
    if not isinstance(targets, list) or not targets:
        faults.append(f"rule `{name}`: `targets` must be a list of at least one target")
        targets = []
    faults += [
        f"rule `{name}`: `{target}` is no target; write `simulation` or `provider:backend`"
        for target in targets
        if not (isinstance(target, str) and TARGET.match(target))
    ]
    return Rule(str(name), tuple(map(str, targets)), _when(str(name), fields.get("when", {}), faults))


def _when(name: str, table: object, faults: list[str]) -> dict[str, tuple[str, ...] | int | bool]:
    if not isinstance(table, dict):
        faults.append(f"rule `{name}`: `when` must be a table")
        return {}
    conditions: dict[str, tuple[str, ...] | int | bool] = {}
    for fact, wanted in table.items():
        words = [wanted] if isinstance(wanted, str) else wanted
        if fact not in CONDITIONS:
            faults.append(f"rule `{name}`: unknown condition `{fact}`; known are {', '.join(sorted(CONDITIONS))}")
        elif fact == "exact":
            if not isinstance(wanted, bool):
                faults.append(f"rule `{name}`: `exact` must be true or false")
            conditions[fact] = bool(wanted)
        elif fact in WORDS:
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                faults.append(f"rule `{name}`: `{fact}` must be a word or a list of words")
                words = []
            conditions[fact] = tuple(words)
        elif isinstance(wanted, bool) or not isinstance(wanted, int):
            faults.append(f"rule `{name}`: `{fact}` must be a whole number")
        else:
            conditions[fact] = wanted
    return conditions
