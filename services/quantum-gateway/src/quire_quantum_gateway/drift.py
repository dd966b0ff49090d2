"""How much worse a device has become between calibrations, and what that means for work; pure, by the clock given.

Every new calibration makes the compilations for the old one stale. Beyond the rule's thresholds a device has drifted:
what waits in its queue, compiled for what it was, is taken back, and new work may be sent elsewhere until it is as good
again as it last was, or `hold_seconds` are over and what it is counts as what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from quire_contracts.calibration import CalibrationChanged, DeviceFigures, snapshot_id
from quire_contracts.value import Fault

if TYPE_CHECKING:
    from datetime import datetime

TOO_OLD: Final = Fault(
    kind="calibration",
    code="compilation-too-old",
    reason="the circuit waited at the target for longer than a compilation may be old",
    next_step="It is compiled and sent anew.",
    retryable=True,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A backend's calibration."""

    calibration_id: str
    figures: DeviceFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRule:
    """By which share a device may become worse between calibrations: errors grow, T1 shrink; and what follows then.

    compiled_seconds: how old a compilation may be when its circuit begins to run.
    """

    two_qubit_error: float = 0.5
    readout_error: float = 0.5
    t1: float = 0.5
    action: Literal["recompile", "reroute"] = "recompile"
    hold_seconds: float = 3_600.0
    compiled_seconds: float = 24 * 3_600.0


def worse(before: DeviceFigures, after: DeviceFigures, rule: DriftRule) -> str:
    """What has become worse by more than the rule allows, in words; empty if nothing has."""
    found = [
        _grown("two-qubit error", before.two_qubit_error, after.two_qubit_error, rule.two_qubit_error),
        _grown("readout error", before.readout_error, after.readout_error, rule.readout_error),
        _shrunk("T1", before.t1_seconds, after.t1_seconds, rule.t1),
    ]
    return ", ".join(filter(None, found))


@dataclass(frozen=True, slots=True)
class _Device:
    """What is known of one target. good: the last calibration that had not drifted; reason: why `newest` has."""

    good: Snapshot
    newest: Snapshot
    since: datetime
    reason: str = ""


@dataclass(slots=True)
class Drifts:
    """What one gateway has seen of its targets' calibrations since it started."""

    rule: DriftRule = field(default_factory=DriftRule)
    _devices: dict[str, _Device] = field(default_factory=dict)

    def see(self, target: str, snapshot: Snapshot, now: datetime) -> CalibrationChanged | None:
        """Take note of a target's present calibration; the event of it, if it is a new one."""
        known = self._known(target, now)
        if known is None:
            self._devices[target] = _Device(snapshot, snapshot, now)
            return None
        if known.newest.calibration_id == snapshot.calibration_id:
            return None
        reason = worse(known.good.figures, snapshot.figures, self.rule)
        self._devices[target] = _Device(known.good if reason else snapshot, snapshot, now, reason)
        return CalibrationChanged(
            snapshot_id=snapshot_id(target, snapshot.calibration_id),
            target=target,
            calibration_id=snapshot.calibration_id,
            previous_id=known.newest.calibration_id,
            at=now,
            before=known.good.figures,
            after=snapshot.figures,
            drifted=bool(reason),
            action="rerouted" if reason and self.rule.action == "reroute" else "recompiled",
            reason=reason,
        )

    def fault(self, target: str, now: datetime) -> Fault | None:
        """Why new work is not to be sent to a target, or None."""
        known = self._known(target, now)
        if known is None or not known.reason or self.rule.action != "reroute":
            return None
        return _drifted(known.reason)

    def stale(self, target: str, compiled_at: datetime | None, now: datetime) -> Fault | None:
        """Why a circuit that we compiled then, and that does not run yet, is to be compiled anew, or None."""
        if compiled_at is None:
            return None
        if now >= compiled_at + timedelta(seconds=self.rule.compiled_seconds):
            return TOO_OLD
        known = self._known(target, now)
        if known is None or not known.reason or compiled_at >= known.since:
            return None
        return _drifted(known.reason, code="compilation-stale")

    def _known(self, target: str, now: datetime) -> _Device | None:
        """A target; one that drifted long ago is what it is from now on."""
        known = self._devices.get(target)
        if known is not None and known.reason and now >= known.since + timedelta(seconds=self.rule.hold_seconds):
            known = self._devices[target] = replace(known, good=known.newest, reason="")
        return known


def _drifted(reason: str, code: str = "calibration-drifted") -> Fault:
    return Fault(
        kind="calibration",
        code=code,
        reason=f"the target has drifted since its last good calibration: {reason}",
        next_step="It is compiled anew, or runs elsewhere; wait for the next calibration if it must run there.",
        retryable=True,
    )


def _grown(name: str, before: float | None, after: float | None, share: float) -> str:
    if before is None or after is None or after <= before * (1 + share):
        return ""
    return f"{name} {before:.3g} -> {after:.3g}"


def _shrunk(name: str, before: float | None, after: float | None, share: float) -> str:
    if before is None or after is None or after >= before * (1 - share):
        return ""
    return f"{name} {before:.3g} s -> {after:.3g} s"
