"""Conditions of rules: which facts they may look at, how they are read, and whether they hold."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quire_policy.facts import Appraised, Facts, Load

WORDS: Final = ("kind", "phase", "priority", "tenant", "project")
"""Facts that are words: a condition gives the list of words it accepts."""

NUMBERS: Final = ("qubits", "shots", "parameter_sets", "targets")
"""Facts that are numbers: a condition gives `min_<fact>`, `max_<fact>` or both. Exact work has no shots; of `targets`
it is how many the job names.
"""

FLAGS: Final = ("exact", "seeded")
LOADS: Final = ("min_waiting", "min_wait_seconds", "min_error_rate")
"""Conditions on the load of the work's first target; a relief and a refusal have at least one of them."""

APPRAISALS: Final = ("device", "min_usd", "max_fidelity", "max_worth")
"""Conditions on what a gateway says of the work at its first target, of reliefs alone. A target of which nothing is
said is no device and costs nothing; of a figure that nobody knows no condition holds."""

_FACTS: Final = frozenset({*WORDS, *FLAGS, *(f"{side}_{fact}" for side in ("min", "max") for fact in NUMBERS)})

Conditions = dict[str, tuple[str, ...] | int | float | bool]


def read_conditions(
    label: str, table: object, faults: list[str], *, loads: bool, appraisals: bool = False
) -> Conditions:
    """The conditions of a `when` table; what is wrong with it is added to `faults` under the rule's `label`.

    loads: whether it may look at loads, and at the target (by a name or a pattern of it), and must.
    appraisals: whether it may look at what gateways say of the work, and that is enough.
    """
    if not isinstance(table, dict):
        faults.append(f"{label}: `when` must be a table")
        return {}
    needed = (*LOADS, *(APPRAISALS if appraisals else ()))
    known = _FACTS | ({*needed, "target"} if loads else set())
    conditions: Conditions = {}
    for fact, wanted in table.items():
        words = [wanted] if isinstance(wanted, str) else wanted
        if fact not in known:
            faults.append(f"{label}: unknown condition `{fact}`; known are {', '.join(sorted(known))}")
        elif fact in (*FLAGS, "device"):
            if not isinstance(wanted, bool):
                faults.append(f"{label}: `{fact}` must be true or false")
            conditions[fact] = bool(wanted)
        elif fact in WORDS or fact == "target":
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                faults.append(f"{label}: `{fact}` must be a word or a list of words")
                words = []
            conditions[fact] = tuple(words)
        elif isinstance(wanted, bool) or not isinstance(wanted, (int, float) if fact in needed else int):
            faults.append(f"{label}: `{fact}` must be a {'' if fact in needed else 'whole '}number")
        else:
            conditions[fact] = wanted
    if loads and not conditions.keys() & set(needed):
        faults.append(f"{label}: `when` must name one of {', '.join(needed)}")
    return conditions


def holds(conditions: Conditions, facts: Facts) -> bool:
    """Whether every condition on the work's facts does; conditions on loads are left out."""
    return not conditions or all(
        _fact_holds(name, wanted, facts) for name, wanted in conditions.items() if name in _FACTS
    )


def concerns(conditions: Conditions, target: str) -> bool:
    """Whether the conditions are about this target: without any named they are about all."""
    wanted = conditions.get("target")
    return wanted is None or (isinstance(wanted, tuple) and any(fnmatchcase(target, pattern) for pattern in wanted))


def is_loaded(conditions: Conditions, target: str, loads: Mapping[str, Load]) -> bool:
    """Whether every condition on the load of a target holds; one that nobody reports on has no load."""
    load = loads.get(target)
    for name, wanted in conditions.items():
        if name in LOADS and (load is None or getattr(load, name.removeprefix("min_")) < wanted):
            return False
    return True


def is_appraised(conditions: Conditions, target: str, appraised: Mapping[str, Appraised]) -> bool:
    """Whether every condition on what is said of the work at a target holds."""
    known = appraised.get(target)
    for name, wanted in conditions.items():
        if name in APPRAISALS and not _appraisal_holds(name, wanted, known):
            return False
    return True


def described(conditions: Conditions) -> str:
    """The conditions in words, for reasons."""
    if not conditions:
        return "everything"
    parts = []
    for condition, wanted in conditions.items():
        text = " or ".join(wanted) if isinstance(wanted, tuple) else str(wanted).lower()
        parts.append(f"{condition} = {text}")
    return ", ".join(parts)


def _fact_holds(name: str, wanted: tuple[str, ...] | float | bool, facts: Facts) -> bool:  # noqa: FBT001 (data)
    if name == "exact":
        return (facts.shots is None) is wanted
    if name == "seeded":
        return facts.seeded is wanted
    if isinstance(wanted, tuple):
        return getattr(facts, name) in wanted
    side, _, fact = name.partition("_")
    value = len(facts.targets) if fact == "targets" else getattr(facts, fact)
    if value is None:
        return False
    return bool(value >= wanted if side == "min" else value <= wanted)


def _appraisal_holds(name: str, wanted: tuple[str, ...] | float | bool, known: Appraised | None) -> bool:  # noqa: FBT001 (data)
    if name == "device":
        return (known is not None and known.device) is wanted
    side, _, figure = name.partition("_")
    value = getattr(known, figure) if known is not None else None
    if value is None or isinstance(wanted, tuple):
        return False
    return bool(value >= wanted if side == "min" else value <= wanted)
