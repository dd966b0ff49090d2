"""A circuit breaker as a pure state machine: a rolling window, a failure rate, one free probe at a time.

::

    closed ──(failure rate over the window, or told so)──> open ──(its time is over: a probe is claimed)──> half-open
       ^                                                     ^                                                 │
       └──────(the probe succeeds)───────────────────────────┼────────────(it fails: open for twice as long)───┘

Source of the pattern: M. Nygard, "Release It!", 2nd ed., ch. 5. Calls that time out count as failures; what is the
caller's fault (an invalid program) must not be recorded at all, for it says nothing about the other side.

The state (`Circuit`) is apart from what it is judged by (`Window`): the state can be shared by many processes, each of
which judges by its own calls. A probe is not one of the calls that are refused but a free question, so nobody pays for
it; a probe that succeeds says little of the paid calls, which is why an opening soon after a closing counts as a
relapse and lasts twice as long as the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from quire_resilience.backoff import Uniform

State = Literal["closed", "open", "half-open"]

_SLICES: Final = 12
"""Parts of the window; outcomes are forgotten a part at a time, so that a busy one costs no more than an idle one."""

_LEAST_WAIT: Final = 1.0
_LARGEST_EXPONENT: Final = 30
_SEVERITY: Final[dict[State, int]] = {"closed": 0, "half-open": 1, "open": 2}


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens and how it comes back; times in seconds.

    window_seconds: outcomes older than this are forgotten.
    least_calls: fewer outcomes than this in the window never open it.
    failure_rate: share of failures, in (0, 1], from which it opens.
    open_seconds, longest_seconds: how long it is open at first, doubled with each relapse up to the longest.
    jitter: how much of that is random, up and down, so that fleets do not come back together.
    relapse_seconds: an opening so soon after a closing is a relapse.
    probe_seconds: a probe without an outcome for this long is given up, so that a lost prober cannot keep it shut.
    """

    window_seconds: float = 60.0
    least_calls: int = 10
    failure_rate: float = 0.5
    open_seconds: float = 30.0
    longest_seconds: float = 600.0
    jitter: float = 0.2
    relapse_seconds: float = 120.0
    probe_seconds: float = 30.0

    def opening(self, spell: int, uniform: Uniform) -> float:
        """How long the opening number `spell` (from 1) in a row lasts, in seconds."""
        doubled = self.open_seconds * 2.0 ** min(spell - 1, _LARGEST_EXPONENT)
        return min(self.longest_seconds, doubled) * (1 + self.jitter * (2 * uniform() - 1))


@dataclass(frozen=True, slots=True)
class Window:
    """The outcomes of one process's last calls, counted by part of the window: (part, good, bad), oldest first."""

    parts: tuple[tuple[int, int, int], ...] = ()

    def recorded(self, policy: BreakerPolicy, now: float, *, ok: bool) -> Window:
        """With one more outcome, and without those that are too old."""
        part = int(now * _SLICES // policy.window_seconds)
        kept = tuple(entry for entry in self.parts if part - _SLICES < entry[0] < part)
        good, bad = next(((good, bad) for at, good, bad in self.parts if at == part), (0, 0))
        return Window((*kept, (part, good + ok, bad + (not ok))))

    @property
    def calls(self) -> int:
        """All outcomes."""
        return sum(good + bad for _, good, bad in self.parts)

    @property
    def failures(self) -> int:
        """The bad ones."""
        return sum(bad for _, _, bad in self.parts)

    def is_failing(self, policy: BreakerPolicy) -> bool:
        """Whether there are enough calls to tell, and too many of them failed."""
        return self.calls >= policy.least_calls and self.failures >= policy.failure_rate * self.calls


@dataclass(frozen=True, slots=True)
class Circuit:
    """The state of one breaker; every change is a new value. Times are seconds of one clock throughout.

    since: when it came to this state.
    until: open: when a probe is due; half-open: when the probe is given up.
    spell: which opening in a row this is, or was; 0 before the first.
    reason: why it opened, as a stable code.
    """

    state: State = "closed"
    since: float = 0.0
    until: float = 0.0
    spell: int = 0
    reason: str = ""

    def wait(self, now: float) -> float:
        """0.0 if a call may start at `now`, else the seconds until it is worth asking again."""
        return 0.0 if self.state == "closed" else max(_LEAST_WAIT, self.until - now)

    def opened(
        self, policy: BreakerPolicy, now: float, reason: str, uniform: Uniform, *, until: float | None = None
    ) -> Circuit:
        """Opened at `now`, whatever it was; `until` where the other side said how long.

        One that is open stays so for the longer of the two times; it is the same opening.
        """
        if self.state == "open":
            return replace(self, until=max(self.until, until or 0.0), reason=reason if until else self.reason)
        relapsed = self.state == "half-open" or (self.spell > 0 and now - self.since < policy.relapse_seconds)
        spell = self.spell + 1 if relapsed else 1
        planned = now + policy.opening(spell, uniform)
        return Circuit("open", now, planned if until is None else max(now, until), spell, reason)

    def probe(self, policy: BreakerPolicy, now: float) -> Circuit | None:
        """Half-open, its probe claimed by the caller; None while no probe is due."""
        if self.state == "closed" or now < self.until:
            return None
        return Circuit("half-open", now, now + policy.probe_seconds, self.spell, self.reason)

    def probed(self, policy: BreakerPolicy, now: float, uniform: Uniform, *, ok: bool, reason: str = "") -> Circuit:
        """The outcome of the probe: closed, or open for longer. Nothing changes where no probe is under way."""
        if self.state != "half-open":
            return self
        if ok:
            return Circuit("closed", now, now, self.spell, "")
        return self.opened(policy, now, reason or self.reason, uniform)


def worst(first: Circuit, second: Circuit) -> Circuit:
    """The more cautious of two views of one breaker: open before half-open before closed, then the later `until`."""

    def order(circuit: Circuit) -> tuple[int, float, float, int, str]:
        return (_SEVERITY[circuit.state], circuit.until, circuit.since, circuit.spell, circuit.reason)

    return max(first, second, key=order)


@dataclass(frozen=True, slots=True)
class Breaker:
    """A state and the window that one process judges it by."""

    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    circuit: Circuit = field(default_factory=Circuit)
    window: Window = field(default_factory=Window)

    def record(self, now: float, uniform: Uniform, *, ok: bool, reason: str = "failure-rate") -> Breaker:
        """The breaker after a call that ended at `now`; while it is not closed, such an outcome is late and ignored."""
        if self.circuit.state != "closed":
            return self
        window = self.window.recorded(self.policy, now, ok=ok)
        if ok or not window.is_failing(self.policy):
            return replace(self, window=window)
        return self.tripped(now, reason, uniform)

    def tripped(self, now: float, reason: str, uniform: Uniform, *, until: float | None = None) -> Breaker:
        """Opened at `now` whatever the window says: the other side told us that it is offline."""
        circuit = self.circuit.opened(self.policy, now, reason, uniform, until=until)
        return replace(self, circuit=circuit, window=Window())

    def moved(self, circuit: Circuit) -> Breaker:
        """In another state, as a probe or somebody else decided; what was counted before says nothing of it."""
        return replace(self, circuit=circuit, window=Window() if circuit != self.circuit else self.window)
