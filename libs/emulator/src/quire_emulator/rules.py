"""Faults as data: which call or job of a cloud goes wrong, how, and how often; every draw follows from the seed."""

from __future__ import annotations

from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal[
    "throttle", "offline", "error", "refused", "slow", "lost", "late", "timeout-applied",
    "partial", "withheld", "failed", "waits", "lagging-search",
]  # fmt: skip

CALL_KINDS: Final = frozenset({"throttle", "offline", "error", "refused", "slow", "lost", "late", "timeout-applied"})
"""Go wrong with a call; the others with a job, and are drawn when it is applied."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault.

    Kinds of a call:
        throttle: 429 with Retry-After; nothing is applied.
        offline: the device is away: creating is refused (424; jobs API: code 1004) and the device says so, as long as
            the rule's window lasts; it has no rate and no count.
        error: an answer of 5xx (`status`; 500 unless said); nothing is applied.
        refused: `status`, `code` and `message` as said; nothing is applied.
        slow: answered as usual, `delay` seconds later.
        lost: nothing is applied and nothing answered.
        late: nothing is answered; a create is applied `delay` seconds later, any other call never.
        timeout-applied: applied, and not answered.
    Kinds of a job:
        partial: some of its programs fail, or of a single one only `share` of the shots succeed.
        withheld: it completes, but its result is missing for `delay` seconds (for ever if 0).
        failed: it ends as failed, with `message`.
        waits: it waits `delay` seconds longer in the queue.
        lagging-search: searches find it only `delay` seconds after it was created.

    Attributes:
        id: given by the cloud when empty.
        operations: of create, get, search, cancel, device, devices, limits, result.
        device: a pattern (`*`, `?`) of the ARN or name.
        rate: the share of matching calls or jobs.
        count: it happens at most so many times; 0 is no limit.
        after, until: seconds after it was armed between which it holds; until 0 has no end.
        every: the window comes again each so many seconds; 0 for never.
        answer: how "not answered" looks: "hold" keeps the connection silent for `hold` seconds and closes it, "cut"
            closes it at once, "504" is the answer of a gateway in front.
    """

    kind: Kind
    id: str = ""
    operations: frozenset[str] = frozenset({"create"})
    device: str = "*"
    rate: float = 1.0
    count: int = 0
    after: float = 0.0
    until: float = 0.0
    every: float = 0.0
    retry_after: float = 1.0
    delay: float = 0.0
    share: float = 0.5
    status: int = 0
    code: str = ""
    message: str = ""
    answer: Literal["hold", "cut", "504"] = "hold"
    hold: float = 60.0

    def holds(self, armed_at: float, now: float) -> bool:
        """Whether `now` lies in its window, or in one of its windows."""
        since = now - armed_at - self.after
        if since < 0 or not self.until:
            return since >= 0
        return (since % self.every if self.every > 0 else since) < self.until - self.after


class Book:
    """The armed rules, and how often each was met and happened."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._armed: dict[str, tuple[Rule, float]] = {}
        self._met: dict[str, int] = {}
        self._happened: dict[str, int] = {}

    def arm(self, rule: Rule, at: float) -> None:
        """From now on; a rule with the id of another takes its place and counts anew."""
        self._armed[rule.id] = (rule, at)
        self._met[rule.id] = self._happened[rule.id] = 0

    def disarm(self, rule_id: str) -> None:
        """No more."""
        self._armed.pop(rule_id, None)

    def happened(self, rule_id: str) -> int:
        """How often it came true."""
        return self._happened.get(rule_id, 0)

    def count(self, rule_id: str) -> None:
        """It came true, says the ledger of an earlier life."""
        if rule_id in self._armed:
            self._met[rule_id] += 1
            self._happened[rule_id] += 1

    def rules(self) -> tuple[Rule, ...]:
        """All that are armed, also outside of their windows."""
        return tuple(rule for rule, _ in self._armed.values())

    def of_call(self, operation: str, device: str, now: float) -> Rule | None:
        """The first rule that comes true for this call; it is counted."""
        fitting = (
            rule
            for rule, at in self._armed.values()
            if rule.kind in CALL_KINDS and rule.kind != "offline" and operation in rule.operations
            and fnmatchcase(device, rule.device) and rule.holds(at, now)
        )  # fmt: skip
        return next(self._true(fitting), None)

    def of_job(self, device: str, now: float) -> tuple[Rule, ...]:
        """All rules that come true for this job; they are counted."""
        fitting = [
            rule
            for rule, at in self._armed.values()
            if rule.kind not in CALL_KINDS and fnmatchcase(device, rule.device) and rule.holds(at, now)
        ]
        return tuple(self._true(fitting))

    def offline(self, device: str, now: float) -> Rule | None:
        """The rule that keeps the device away at this moment."""
        fitting = (
            rule
            for rule, at in self._armed.values()
            if rule.kind == "offline" and fnmatchcase(device, rule.device) and rule.holds(at, now)
        )
        return next(fitting, None)

    def _true(self, rules: Iterable[Rule]) -> Iterator[Rule]:
        for rule in rules:
            if rule.count and self._happened[rule.id] >= rule.count:
                continue
            self._met[rule.id] += 1
            if draw(self._seed, rule.id, str(self._met[rule.id])) < rule.rate:
                self._happened[rule.id] += 1
                yield rule


def draw(seed: int, *names: str) -> float:
    """A number in [0, 1) that follows from the seed and the names alone."""
    digest = blake2b("|".join([str(seed), *names]).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
