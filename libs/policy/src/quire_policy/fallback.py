"""What is done for work that has no answer at its target: an operator's chain of steps, taken one at a time.

Pure: equal chains and equal troubles give equal steps. Nothing that may be at a provider is ever sent anywhere again:
such a fault leaves only the steps that run nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from quire_policy.conditions import Conditions

Step = Literal["again", "recompile", "other", "simulator", "cached", "classical"]
STEPS: Final[tuple[Step, ...]] = ("again", "recompile", "other", "simulator", "cached", "classical")
Action = Literal[Step, "alone", "wait", "ask", "end"]

SIMULATOR: Final = "simulation"
UNSUPPORTED: Final = "unsupported-"
"""How the code of a fault begins that is invalid at one target only; any other invalid work is invalid everywhere."""

UNSETTLED: Final = frozenset({"submission-parked", "given-up"})
"""Codes of faults after which nobody can say whether the work runs, or whether it ends whoever takes it."""

AWAY: Final = frozenset({"offline", "capacity"})
"""Kinds of faults that are over when the target is back: they rule nothing out and use up no try."""

DRIFTED: Final = "calibration-drifted"
"""The code of a calibration that no compilation makes good: the target is as good as away until the next one."""

ONCE: Final = frozenset({"spend", "invalid"})
"""Kinds of faults that the same target would give again."""

FAILURES: Final = 6
"""So many real failures, at all targets together, end the search for another one."""

RESERVE_SECONDS: Final = 1.0
"""So long before its deadline a job takes the lesser answer that there is."""

_SOONEST: Final = 1.0
_LATEST: Final = 60.0
_FAST: Final = 1


class Fallback(msgspec.Struct, frozen=True):
    """A chain for the work that `when` holds of: the first step of `steps` that can be taken is.

    again: the same target, `tries` times in all, later if it is away. recompile: the same target, whose compilation
    was out of date. other: the work's next target. simulator: the batched simulator, if it is one of the work's targets
    or `simulate_anyway` is true. cached: the newest answer of an equal job, not older than `cached_within_seconds`.
    classical: the best answer that exists without another run.

    leave_after_seconds: how long work waits for a target that is away before it goes to another one.
    settle_after_seconds: how long it waits, where all are away, before it takes a cached or classical answer.
    give_up_after_seconds: how long before its job fails.
    """

    name: str
    when: Conditions
    steps: tuple[Step, ...] = STEPS
    tries: int = 2
    leave_after_seconds: float = 0.0
    settle_after_seconds: float = 300.0
    give_up_after_seconds: float = 3_600.0
    cached_within_seconds: float = 86_400.0
    simulate_anyway: bool = False


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Work without an answer: at `target`, where it may run in order of preference, and what is known.

    fault: (kind, code, reason, whether the same may succeed later); None where it only waits, or begins.
    after_seconds: what the target asks to wait.   down: targets that take no work now, and why.
    asks: which of these said so to this work itself, and in how many seconds they are asked again; of the others
    somebody will tell.
    ruled_out: targets that cannot do it.   failures: targets at which it really failed, once for each time.
    together: tasks that shared the fate of its batch; 1 where the fault is its own.
    waited: seconds since it first had to wait.   returns: how often it came back.   seconds_left: to the deadline.
    lesser: whether there is an answer without a run.
    earlier: whether there is a cached one; None where nobody has looked.
    """

    target: str
    targets: tuple[str, ...]
    fault: tuple[str, str, str, bool] | None = None
    after_seconds: float = 0.0
    down: Mapping[str, str] = {}
    asks: Mapping[str, float] = {}
    ruled_out: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    together: int = 1
    waited: float = 0.0
    returns: int = 0
    seconds_left: float | None = None
    lesser: bool = False
    earlier: bool | None = None


class Next(msgspec.Struct, frozen=True):
    """What is done: run it at `target` after `seconds`; `wait` up to `seconds` for one of `waits_for`; or the rest.

    alone: run it again in a batch of its own.   ask: look for a cached answer, then decide again.
    end: there is no answer.   ruled_out, failures, asks: as they are now.
    """

    action: Action
    reason: str
    target: str | None = None
    seconds: float = 0.0
    waits_for: tuple[str, ...] = ()
    ruled_out: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    asks: Mapping[str, float] = {}


def next_step(chain: Fallback, trouble: Trouble) -> Next:
    """The step that follows."""
    known = _Known(chain, trouble)
    if known.runs_nothing:
        return known.settled() or known.ended()
    if known.spoiled_by_others:
        return known.next("alone", "it shared a batch with others: it runs again alone", trouble.target)
    for step in chain.steps:
        found = known.taken(step)
        if found is not None:
            return found
    return known.waiting() or known.ended()


class _Known:
    """What follows from a trouble before any step is looked at."""

    def __init__(self, chain: Fallback, trouble: Trouble) -> None:
        self.chain, self.trouble = chain, trouble
        self.kind, self.code, reason, self.retryable = trouble.fault or ("", "", "", True)
        self.reason = reason or trouble.down.get(trouble.target, "")
        self.failures, self.ruled_out = trouble.failures, trouble.ruled_out
        self.down, self.asks = dict(trouble.down), dict(trouble.asks)
        if self.kind in AWAY or self.code == DRIFTED:
            pause = min(_LATEST, _SOONEST * 2.0 ** min(trouble.returns, 10))
            offline = self.kind == "offline"
            told = offline and trouble.target in self.down and trouble.target not in self.asks
            self.down.setdefault(trouble.target, reason)
            if not told:  # else somebody tells when it is back
                self.asks[trouble.target] = pause if offline else max(trouble.after_seconds, pause)
        elif trouble.fault is not None and not self.spoiled_by_others:
            self.failures = (*self.failures, trouble.target)[-2 * FAILURES :]
            if self.kind in ONCE or self.failures.count(trouble.target) >= self._tries:
                self.ruled_out = (*self.ruled_out, trouble.target)
        self.possible = tuple(target for target in self._reachable() if target not in self.ruled_out)

    @property
    def runs_nothing(self) -> bool:
        """Whether the work must not, or need not, be sent anywhere again."""
        if self.kind == "unknown":
            certain = self.retryable and self.code not in UNSETTLED
            return not (self.spoiled_by_others or (certain and self.trouble.target not in self.ruled_out))
        if self.kind == "invalid" and not self.code.startswith(UNSUPPORTED):
            return not self.spoiled_by_others
        return len(self.failures) >= FAILURES or self._is_late

    @property
    def spoiled_by_others(self) -> bool:
        """Whether a fault of the whole batch may be another task's, and to run again is safe.

        What the simulator gives up ran nowhere else; what a gateway gives up may still be at a provider.
        """
        if self.trouble.together <= 1:
            return False
        if self.kind == "unknown":
            return self.code == "given-up" and _is_simulator(self.trouble.target)
        return self.kind == "invalid" and not self.code.startswith(UNSUPPORTED)

    @property
    def _tries(self) -> int:
        return self.chain.tries if self.retryable else 1

    @property
    def _is_late(self) -> bool:
        """Whether the deadline is so near that a lesser answer now is better than none."""
        left = self.trouble.seconds_left
        return self.trouble.lesser and "classical" in self.chain.steps and left is not None and left <= RESERVE_SECONDS

    def _reachable(self) -> tuple[str, ...]:
        """The targets to which the chain's steps can lead, in order; of work in doubt its own alone."""
        trouble, steps = self.trouble, self.chain.steps
        if self.kind == "unknown":
            return (trouble.target,)
        found = [target for target in trouble.targets if ("again" if target == trouble.target else "other") in steps]
        allowed = SIMULATOR in trouble.targets or self.chain.simulate_anyway
        if "simulator" in steps and SIMULATOR not in found and allowed:
            found.append(SIMULATOR)
        return tuple(found)

    def taken(self, step: Step) -> Next | None:
        """What taking the step comes to, or None where it cannot be taken."""
        if step in ("cached", "classical"):
            return self._settling(step) if not self.possible or self._waited_enough else None
        return self._running(step)

    def _running(self, step: Step) -> Next | None:
        target, up = self.trouble.target, [each for each in self.possible if each not in self.down]
        match step:
            case "again" if target in self.possible:
                if target in up and self.kind != "calibration":
                    return self.next(step, self._again_because, target, self._pause)
                if target in self.down and self.trouble.waited < self.chain.leave_after_seconds:
                    left = self.chain.leave_after_seconds - self.trouble.waited
                    return self._wait((target,), left)
            case "recompile" if self.kind == "calibration" and target in up:
                return self.next(step, f"compiled again, because {self.reason}", target, self._pause)
            case "other":
                other = next((each for each in up if each != target and each in self.trouble.targets), None)
                return self.next(step, self._instead(other), other) if other is not None else None
            case "simulator":
                if SIMULATOR in up and target != SIMULATOR:
                    return self.next(step, self._instead(SIMULATOR), SIMULATOR)
        return None

    def settled(self) -> Next | None:
        """The first lesser answer of the chain."""
        steps = (self._settling(step) for step in self.chain.steps if step in ("cached", "classical"))
        return next(filter(None, steps), None)

    def _settling(self, step: Step) -> Next | None:
        if step == "classical":
            return self.next(step, self._why_not) if self.trouble.lesser else None
        if self.kind == "invalid" and not self.code.startswith(UNSUPPORTED):
            return None  # such work was never answered before
        if self.trouble.earlier is None:
            return self.next("ask", "is there an earlier answer?")
        return self.next(step, self._why_not) if self.trouble.earlier else None

    def waiting(self) -> Next | None:
        """Wait for a target, if one may come back in time."""
        left = self.chain.give_up_after_seconds - self.trouble.waited
        return self._wait(self.possible, left) if self.possible and left > 0 else None

    def ended(self) -> Next:
        """There is no answer."""
        return self.next("end", self._why_not)

    def next(self, action: Action, reason: str, target: str | None = None, seconds: float = 0.0) -> Next:
        """A step, with what is known now."""
        return Next(action, reason, target, seconds, (), self.ruled_out, self.failures, self.asks)

    def _wait(self, targets: tuple[str, ...], left: float) -> Next:
        """Wait for these; look again when the next patience ends, or when one of them is to be asked again."""
        trouble, chain = self.trouble, self.chain
        looks = [left, chain.settle_after_seconds - trouble.waited]
        if trouble.seconds_left is not None:
            looks.append(trouble.seconds_left - RESERVE_SECONDS)
        looks += [self.asks[target] for target in targets if target in self.asks]
        seconds = min((look for look in looks if look > 0), default=_SOONEST)
        reason = f"waits for {' or '.join(targets)}, because {self._why_not}"
        return Next("wait", reason, None, seconds, targets, self.ruled_out, self.failures, self.asks)

    @property
    def _waited_enough(self) -> bool:
        return self.trouble.waited >= self.chain.settle_after_seconds

    @property
    def _pause(self) -> float:
        """Before the same target is tried again: none the first time, then longer and longer."""
        failures = self.failures.count(self.trouble.target)
        pause = min(_LATEST, _SOONEST * 4.0 ** (failures - 2)) if failures > _FAST else 0.0
        return max(self.trouble.after_seconds, pause) if self.trouble.fault is not None else 0.0

    @property
    def _again_because(self) -> str:
        target = self.trouble.target
        return f"{target} takes work again" if self.trouble.fault is None else f"again, because {self.reason}"

    def _instead(self, other: str) -> str:
        target = self.trouble.target
        verb = "answered" if self.trouble.fault is not None else "takes no work"
        return f"{other} instead of {target}, which {verb}: {self.reason}" if self.reason else f"{other} is up"

    @property
    def _why_not(self) -> str:
        """Why no target runs it now."""
        if self.trouble.fault is not None or not self.possible:
            return self.reason or "no target is left"
        reasons = [f"{target} takes no work: {self.down[target]}" for target in self.possible if target in self.down]
        return "; ".join(reasons) or "no target takes it"


def _is_simulator(target: str) -> bool:
    return target.partition(":")[0] == SIMULATOR
