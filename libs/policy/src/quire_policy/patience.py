"""Whether work is worth waiting for while a classical answer is there: an operator's prices in, a reasoned choice out.

Pure. The rule is that of the value of computation (Russell and Wefald, "Principles of metareasoning", 1991): go on as
long as what a better answer is expected to be worth exceeds what it costs to get it, in money and in time.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from quire_policy.conditions import Conditions
from quire_policy.fallback import RESERVE_SECONDS

Late = Literal["stop", "unpaid", "keep"]
LATE: Final[tuple[Late, ...]] = ("stop", "unpaid", "keep")
FIELDS: Final = frozenset(
    {"name", "when", "usd_per_percent", "usd_per_second", "proven_is_enough", "speculate", "late"}
)
_PRICES: Final = ("usd_per_percent", "usd_per_second")
_DEAREST: Final = 1e9


class Patience(msgspec.Struct, frozen=True):
    """For how long the work that `when` holds of waits for its quantum answer while a classical one is there.

    usd_per_percent: what an answer that is better by one percent is worth. usd_per_second: what a second of waiting
    costs. While both are 0 time and gain have no price, and only a deadline ends the wait.
    proven_is_enough: a classical answer that is proven optimal is taken at once: none is better.
    speculate: work is sent also where it is not expected back before its job's deadline, in case it is quicker; without
    it such a job takes its classical answer at once.
    late: what becomes of work at a provider whose job ended before it: `stop` cancels it wherever it is, `unpaid` only
    while it waits there at a price, `keep` never. What runs on is kept as evidence when its answer comes.
    """

    name: str
    when: Conditions
    usd_per_percent: float = 0.0
    usd_per_second: float = 0.0
    proven_is_enough: bool = False
    speculate: bool = True
    late: Late = "unpaid"


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of work that could be sent to `target` now, while there is an answer without it.

    seconds_left: to its job's deadline, None where it has none.
    expected_seconds: until its answer, queue included; None where nobody knows.
    expected_gain: by which share of the classical value the quantum answer will be better (0.01 is one percent), never
    below 0, for of the two the better one is taken; None where there is no history.
    expected_usd: what it costs.   proven: whether the classical answer is known to be the best there is.
    """

    target: str
    seconds_left: float | None = None
    expected_seconds: float | None = None
    expected_gain: float | None = None
    expected_usd: float = 0.0
    proven: bool = False


class Choice(msgspec.Struct, frozen=True):
    """Whether the work is sent and waited for; the reason, and the figures that it was reckoned from."""

    waits: bool
    reason: str
    figures: dict[str, float]


def choose(patience: Patience, outlook: Outlook) -> Choice:
    """Whether to wait for the work. What is not known argues for waiting."""
    known = figures_of(outlook)
    if outlook.proven and patience.proven_is_enough:
        return Choice(False, "the classical answer is proven optimal, so that no other can be better", known)
    if comes_too_late(outlook) and not patience.speculate:
        return Choice(False, lateness(outlook), known)
    worth, gain = worth_usd(patience, outlook), outlook.expected_gain
    if worth is not None and gain is not None:
        price = (outlook.expected_seconds or 0.0) * patience.usd_per_second + outlook.expected_usd
        known |= {"worth_usd": round(worth, 6), "price_usd": round(price, 6)}
        how = f"an answer better by {gain:.2%} is worth {worth:.4g} USD, waiting for it costs {price:.4g} USD"
        return Choice(worth >= price, how, known)
    return Choice(True, "", known)


def break_even(patience: Patience, outlook: Outlook) -> float | None:
    """Seconds after which the wait has cost as much as the answer is expected to be worth; None where it never has.

    Nobody knows how long the rest takes. Who gives up then pays at most twice what the wait would have cost, or the
    answer been worth, had it been known: the break-even rule (Karlin, Manasse, Rudolph, Sleator, "Competitive snoopy
    caching", 1988). What was paid at the provider is spent in any case, and does not count.
    """
    worth = worth_usd(patience, outlook)
    return None if worth is None or patience.usd_per_second == 0 else worth / patience.usd_per_second


def worth_usd(patience: Patience, outlook: Outlook) -> float | None:
    """What the better answer is expected to be worth; None where nothing has a price, or nobody knows the gain."""
    gain = outlook.expected_gain
    if gain is None or not (patience.usd_per_percent or patience.usd_per_second):
        return None
    return 0.0 if outlook.proven else 100 * max(0.0, gain) * patience.usd_per_percent


def comes_too_late(outlook: Outlook) -> bool:
    """Whether the answer is expected only when its job has had to take the lesser one."""
    left, seconds = outlook.seconds_left, outlook.expected_seconds
    return left is not None and seconds is not None and seconds > left - RESERVE_SECONDS


def lateness(outlook: Outlook) -> str:
    """How late the answer would be, in words."""
    left, seconds = outlook.seconds_left or 0.0, outlook.expected_seconds or 0.0
    return f"{outlook.target} is expected to answer in {seconds:.1f} s, the deadline is in {left:.1f} s"


def read_patience(label: str, fields: dict[str, Any], when: Conditions, faults: list[str]) -> Patience:
    """A `[[patience]]` table; what is wrong with it is added to `faults` under its `label`."""
    prices: dict[str, Any] = {name: _price(label, name, fields[name], faults) for name in _PRICES if name in fields}
    flags = {name: fields[name] for name in ("proven_is_enough", "speculate") if name in fields}
    faults += [f"{label}: `{name}` must be true or false" for name, flag in flags.items() if not isinstance(flag, bool)]
    late = fields.get("late", "unpaid")
    if late not in LATE:
        faults.append(f"{label}: `late` must be one of {', '.join(LATE)}")
        late = "unpaid"
    return Patience(str(fields.get("name")), when, late=late, **prices, **flags)


def figures_of(outlook: Outlook) -> dict[str, float]:
    """What is known, by name with its unit; what is not known is left out."""
    figures = {
        "seconds_left": outlook.seconds_left,
        "expected_seconds": outlook.expected_seconds,
        "expected_gain": outlook.expected_gain,
        "expected_usd": outlook.expected_usd or None,
    }
    return {name: round(value, 6) for name, value in figures.items() if value is not None}


def _price(label: str, name: str, value: object, faults: list[str]) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _DEAREST:
        return float(value)
    faults.append(f"{label}: `{name}` must be a number from 0 to {_DEAREST:g}")
    return 0.0
