"""What ran for a job and for its children as one account, that stays small however many they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quire_contracts import limits
from quire_contracts.ran import Ran, RanAt
from quire_contracts.result import OptimizeResult
from quire_control_plane.timings import quantum_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.record import JobRecord
    from quire_contracts.value import Execution


def ran_by(record: JobRecord) -> Ran:
    """What ran for a job: its own executions, or those that its children have told of."""
    if record.family is not None:
        return record.family.ran or Ran()
    codes = [decision.fault_code for decision in record.decisions if decision.fault_code]
    runs: dict[str, list[Execution]] = {}
    for execution in record.executions:
        runs.setdefault(execution.target, []).append(execution)
    repeats = _repeats(record)
    return Ran(
        jobs=int(bool(record.executions)),
        runs=len(record.executions),
        failed=len(codes),
        fault_codes=tuple(dict.fromkeys(codes))[: limits.FAULTS_TOLD_APART],
        remembered=sum(remembered(execution) for execution in record.executions),
        at=tuple(_at(target, each) for target, each in runs.items())[: limits.TARGETS_TOLD_APART],
        seconds=quantum_seconds(record),
        samplings=int(repeats is not None),
        repeats=1.0 if repeats is None else repeats,
    )


def together(one: Ran | None, other: Ran | None) -> Ran | None:
    """Two accounts as one; in whatever order accounts are put together, they come to the same."""
    if one is None or other is None:
        return one or other
    at = {each.target: each for each in one.at}
    for each in other.at:
        known = at.get(each.target)
        at[each.target] = each if known is None else _joined(known, each)
    codes = sorted({*one.fault_codes, *other.fault_codes})
    return Ran(
        jobs=one.jobs + other.jobs,
        runs=one.runs + other.runs,
        failed=one.failed + other.failed,
        fault_codes=tuple(codes[: limits.FAULTS_TOLD_APART]),
        remembered=one.remembered + other.remembered,
        at=tuple(sorted(at.values(), key=lambda each: each.target)[: limits.TARGETS_TOLD_APART]),
        seconds=one.seconds + other.seconds,
        samplings=one.samplings + other.samplings,
        repeats=one.repeats * other.repeats,
    )


def remembered(execution: Execution) -> bool:
    """Whether a run is an earlier one's, whose answer was kept."""
    return execution.provider_metadata.get("cached") is True


def _at(target: str, runs: Sequence[Execution]) -> RanAt:
    """The runs at one target, in the order in which they were answered."""
    latest = runs[-1].calibration_id
    under = sum(run.calibration_id == latest for run in runs)
    return RanAt(
        target=target,
        calibration_id=latest,
        runs=under,
        earlier=len(runs) - under,
        last_at=max(run.started_at for run in runs),
        simulator=any(run.simulator for run in runs),
    )


def _joined(one: RanAt, other: RanAt) -> RanAt:
    """Runs of two jobs at one target: the calibration is that of the later ones."""
    older, newer = sorted((one, other), key=lambda each: (each.last_at, each.calibration_id))
    same = older.calibration_id == newer.calibration_id
    return msgspec.structs.replace(
        newer,
        runs=newer.runs + (older.runs if same else 0),
        earlier=newer.earlier + older.earlier + (0 if same else older.runs),
        simulator=newer.simulator or older.simulator,
    )


def _repeats(record: JobRecord) -> float | None:
    """The chance that the job's last sampling finds as good an answer again; None where there was none."""
    verdict = record.result.verdict if isinstance(record.result, OptimizeResult) else None
    confidence = verdict.confidence if verdict is not None else None
    parts = confidence.parts if confidence is not None else ()
    return next((part.value for part in parts if part.name == "samples"), None)
