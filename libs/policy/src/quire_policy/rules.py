"""Routing rules as data: what a file of them comes to, and how it is read."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from quire_policy.acceptance import FIELDS as ACCEPTANCE_FIELDS
from quire_policy.acceptance import Acceptance, read_acceptance
from quire_policy.conditions import Conditions, holds, read_conditions
from quire_policy.fallback import STEPS, Fallback
from quire_policy.patience import FIELDS as PATIENCE_FIELDS
from quire_policy.patience import Patience, read_patience

if TYPE_CHECKING:
    from pathlib import Path

    from quire_policy.facts import Facts

TARGET: Final = re.compile(r"^[a-z0-9-]{1,32}(:[A-Za-z0-9_.-]{1,64})?$")
Action = Literal["switch", "simulate", "fewer-shots", "delay"]
ACTIONS: Final = ("switch", "simulate", "fewer-shots", "delay")
_LONGEST_DELAY: Final = 3600.0
_AGAIN_SECONDS: Final = 30.0
_LONGEST_WAIT: Final = 30 * 86_400.0
_MOST_TRIES: Final = 6
_WAITS: Final = ("leave_after_seconds", "settle_after_seconds", "give_up_after_seconds", "cached_within_seconds")
_TABLES: Final = ("rule", "relief", "refusal", "fallback", "patience", "acceptance")


class Rule(msgspec.Struct, frozen=True):
    """If every condition of `when` holds, work goes to `targets`, the first that can take it."""

    name: str
    targets: tuple[str, ...]
    when: Conditions


class Relief(msgspec.Struct, frozen=True):
    """What is done for work whose first target is as busy, as dear or of as little worth as `when` says.

    `switch` sends it to the job's next target that is not; `simulate` to the batched simulator, if the job allows it or
    the relief says `anyway`; `fewer-shots` runs as few as the job says will do; `delay` holds it back for `seconds`.
    """

    name: str
    do: Action
    when: Conditions
    seconds: float = 0.0
    anyway: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """New jobs for which `when` holds are asked to come again later.

    After as long as the target is behind the rule's `min_wait_seconds`, or `seconds` where it names none.
    """

    name: str
    when: Conditions
    seconds: float


class Rules(msgspec.Struct, frozen=True):
    """Rules in order: the first that matches decides. The last one has no conditions, so that there is a decision.

    Of the reliefs, also in order, the first that matches and can be done is done; of the refusals the first counts, and
    of the fallbacks, patiences and acceptances, whose last ones have no conditions either.
    """

    rules: tuple[Rule, ...]
    reliefs: tuple[Relief, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    fallbacks: tuple[Fallback, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
    patiences: tuple[Patience, ...] = ()

    def chain(self, facts: Facts) -> Fallback:
        """The fallback chain of a piece of work."""
        return next(fallback for fallback in self.fallbacks if holds(fallback.when, facts))

    def acceptance(self, facts: Facts) -> Acceptance:
        """What is asked of the answers of such work."""
        return next(acceptance for acceptance in self.acceptances if holds(acceptance.when, facts))

    def patience(self, facts: Facts) -> Patience:
        """For how long a piece of work is waited for."""
        return next(patience for patience in self.patiences if holds(patience.when, facts))


class RulesError(ValueError):
    """A rules file that cannot be used; `faults` names each fault with its rule and field."""

    def __init__(self, source: str, faults: list[str]) -> None:
        """Keep the faults in the file's order."""
        super().__init__("\n".join([f"{source}: {len(faults)} fault(s)", *(f"  {fault}" for fault in faults)]))
        self.faults = tuple(faults)


@cache
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

    The text is a list of `[[rule]]` tables with `name`, `targets` and an optional table `when`, of `[[relief]]` tables
    with `name`, `do`, `when`, and for a delay its `seconds`, of `[[refusal]]` tables with `name`, `when` and perhaps
    `seconds`, of `[[fallback]]` tables with the fields of `Fallback`, of `[[patience]]` tables with those of `Patience`
    and of `[[acceptance]]` tables with those of `Acceptance`; without any of the last three, those that ship count.

    Raises:
        RulesError: with every fault of the text.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(source, [f"not TOML: {error}"]) from None
    known = " and ".join(f"[[{table}]]" for table in _TABLES)
    faults = [f"unknown table `{key}`; only {known} are known" for key in tables if key not in _TABLES]
    rules = [_rule(number, row, faults) for number, row in enumerate(tables.get("rule", []), start=1)]
    reliefs = [_relief(number, row, faults) for number, row in enumerate(tables.get("relief", []), start=1)]
    refusals = [_refusal(number, row, faults) for number, row in enumerate(tables.get("refusal", []), start=1)]
    fallbacks = [_fallback(number, row, faults) for number, row in enumerate(tables.get("fallback", []), start=1)]
    acceptances = [_acceptance(number, row, faults) for number, row in enumerate(tables.get("acceptance", []), start=1)]
    patiences = [_patience(number, row, faults) for number, row in enumerate(tables.get("patience", []), start=1)]
    named: tuple[Rule | Relief | Refusal | Fallback | Patience | Acceptance, ...] = (
        *rules,
        *reliefs,
        *refusals,
        *fallbacks,
        *patiences,
        *acceptances,
    )
    names = [each.name for each in named]
    faults += [f"`{name}`: the name stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if not rules or rules[-1].when:
        faults.append("the last rule must have no conditions, so that every piece of work has a target")
    if fallbacks and fallbacks[-1].when:
        faults.append("the last fallback must have no conditions, so that every piece of work has one")
    if patiences and patiences[-1].when:
        faults.append("the last patience must have no conditions, so that every piece of work has one")
    if acceptances and acceptances[-1].when:
        faults.append("the last acceptance must have no conditions, so that every answer has one")
    if faults:
        raise RulesError(source, faults)
    return Rules(
        tuple(rules),
        tuple(reliefs),
        tuple(refusals),
        tuple(fallbacks) or default_rules().fallbacks,
        tuple(acceptances) or default_rules().acceptances,
        tuple(patiences) or default_rules().patiences,
    )


def _rule(number: int, row: object, faults: list[str]) -> Rule:
    label, fields = _named("rule", number, row, {"name", "targets", "when"}, faults)
    targets = fields.get("targets", [])
    if not isinstance(targets, list) or not targets:
        faults.append(f"{label}: `targets` must be a list of at least one target")
        targets = []
    faults += [
        f"{label}: `{target}` is no target; write `simulation` or `provider:backend`"
        for target in targets
        if not (isinstance(target, str) and TARGET.match(target))
    ]
    when = read_conditions(label, fields.get("when", {}), faults, loads=False)
    return Rule(str(fields.get("name")), tuple(map(str, targets)), when)


def _relief(number: int, row: object, faults: list[str]) -> Relief:
    label, fields = _named("relief", number, row, {"name", "do", "when", "seconds", "anyway"}, faults)
    action, seconds, anyway = fields.get("do"), fields.get("seconds", 0), fields.get("anyway", False)
    if action not in ACTIONS:
        faults.append(f"{label}: `do` must be one of {', '.join(ACTIONS)}")
    delays = action == "delay"
    if delays:
        seconds = _seconds(label, seconds, faults)
    if not delays and "seconds" in fields:
        faults.append(f"{label}: only a delay has `seconds`")
    if not isinstance(anyway, bool) or (anyway and action != "simulate"):
        faults.append(f"{label}: `anyway` must be true or false, and only `simulate` has it")
    when = read_conditions(label, fields.get("when", {}), faults, loads=True, appraisals=True)
    return Relief(str(fields.get("name")), action or "delay", when, seconds if delays else 0.0, bool(anyway))


def _refusal(number: int, row: object, faults: list[str]) -> Refusal:
    label, fields = _named("refusal", number, row, {"name", "when", "seconds"}, faults)
    seconds = _seconds(label, fields.get("seconds", _AGAIN_SECONDS), faults)
    return Refusal(str(fields.get("name")), read_conditions(label, fields.get("when", {}), faults, loads=True), seconds)


def _fallback(number: int, row: object, faults: list[str]) -> Fallback:
    label, fields = _named("fallback", number, row, set(Fallback.__struct_fields__), faults)
    steps = fields.get("steps", list(STEPS))
    if not isinstance(steps, list) or not steps or any(step not in STEPS for step in steps):
        faults.append(f"{label}: `steps` must be a list of some of {', '.join(STEPS)}")
        steps = []
    elif len(set(steps)) < len(steps):
        faults.append(f"{label}: a step stands twice in `steps`")
    tries, anyway = fields.get("tries", 2), fields.get("simulate_anyway", False)
    if isinstance(tries, bool) or not isinstance(tries, int) or not 1 <= tries <= _MOST_TRIES:
        faults.append(f"{label}: `tries` must be a whole number from 1 to {_MOST_TRIES}")
        tries = 1
    if not isinstance(anyway, bool):
        faults.append(f"{label}: `simulate_anyway` must be true or false")
    waits = {name: _wait(label, name, fields[name], faults) for name in _WAITS if name in fields}
    when = read_conditions(label, fields.get("when", {}), faults, loads=False)
    return Fallback(str(fields.get("name")), when, tuple(steps), tries, simulate_anyway=bool(anyway), **waits)


def _acceptance(number: int, row: object, faults: list[str]) -> Acceptance:
    label, fields = _named("acceptance", number, row, set(ACCEPTANCE_FIELDS), faults)
    return read_acceptance(label, fields, read_conditions(label, fields.get("when", {}), faults, loads=False), faults)


def _patience(number: int, row: object, faults: list[str]) -> Patience:
    label, fields = _named("patience", number, row, set(PATIENCE_FIELDS), faults)
    return read_patience(label, fields, read_conditions(label, fields.get("when", {}), faults, loads=False), faults)


def _wait(label: str, name: str, value: object, faults: list[str]) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _LONGEST_WAIT:
        return float(value)
    faults.append(f"{label}: `{name}` must be a number from 0 to {_LONGEST_WAIT:g}")
    return 0.0


def _named(kind: str, number: int, row: object, known: set[str], faults: list[str]) -> tuple[str, dict[str, Any]]:
    """The table's label for faults, and its fields."""
    fields = row if isinstance(row, dict) else {}
    name = fields.get("name") if isinstance(fields.get("name"), str) else None
    label = f"{kind} `{name}`" if name else f"{kind} number {number}"
    if name is None:
        faults.append(f"{label}: `name` is missing")
    faults += [f"{label}: unknown field `{field}`" for field in fields if field not in known]
    return label, fields


def _seconds(label: str, value: object, faults: list[str]) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= _LONGEST_DELAY:
        return float(value)
    faults.append(f"{label}: `seconds` must be a number above 0 and at most {_LONGEST_DELAY:g}")
    return 0.0
