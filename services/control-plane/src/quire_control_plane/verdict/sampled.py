"""What a loop's last sampling says: how often it hit, and how long it takes to hit for nearly certain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quire_control_plane.timings import quantum_seconds
from quire_control_plane.verdict.ran import remembered
from quire_control_plane.verdict.repeating import tts99_shots

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_contracts.result import Quality


@dataclass(frozen=True, slots=True)
class Sampling:
    """The last sampling: its shots, those at the best value found, and the seconds that it ran."""

    shots: int
    hits: int
    seconds: float


def last_sampling(record: JobRecord, quality: Quality) -> Sampling | None:
    """What the executions say of the last sampling; slices of one attempt count together."""
    runs = [execution for execution in record.executions if execution.phase == "final" and execution.shots]
    if not runs or quality.success_probability is None:
        return None
    runs = [run for run in runs if (run.task_id, run.attempt) == (runs[-1].task_id, runs[-1].attempt)]
    shots = sum((run.shots or 0) * run.parameter_sets for run in runs)
    return Sampling(shots, round(quality.success_probability * shots), sum(run.execute_seconds for run in runs))


def success_of(sampling: Sampling | None, *, behind: bool, feasible: bool) -> float | None:
    """The share of shots at the best value that anybody knows."""
    if sampling is None or (not feasible and not behind):
        return None
    return 0.0 if behind else sampling.hits / sampling.shots


def time_to_solution(
    record: JobRecord, sampling: Sampling | None, success: float | None
) -> tuple[int | None, float | None]:
    """Shots at the final angles, and seconds with those of the loop that found them.

    What was answered from memory took no seconds now, and says nothing of how long it takes.
    """
    needed = tts99_shots(success) if success is not None else None
    if needed is None or sampling is None or any(map(remembered, record.executions)):
        return needed, None
    loop = max(0.0, quantum_seconds(record) - sampling.seconds)
    return needed, loop + needed * sampling.seconds / sampling.shots
