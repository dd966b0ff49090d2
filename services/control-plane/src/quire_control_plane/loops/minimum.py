"""How a minimisation ends: with the energy measured at its best parameters, else with the best there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quire_contracts.minimum import ROUNDING, measured_minimum
from quire_contracts.result import MinimizeResult
from quire_contracts.so_far import provisional
from quire_contracts.verdict import Verdict
from quire_contracts.vqe import CHEMICAL_ACCURACY
from quire_control_plane.endings.ending import complete, complete_with_baseline
from quire_control_plane.tasks import numbers
from quire_control_plane.timings import quantum_seconds
from quire_control_plane.verdict.comparing import RULE, Side, compare

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_contracts.task import TaskScored
    from quire_control_plane.change import Change, Moment


def finish(record: JobRecord, moment: Moment, answer: TaskScored | None, reason: str) -> Change:
    """End with the last measurement's `answer`; without it, with the least energy there is, of the rounds or classical.

    With a `reason` the job is degraded.

    Raises:
        ValueError: if the answer lacks the energy.
    """
    result = provisional(record) if answer is None else _measured(record, answer)
    if not isinstance(result, MinimizeResult) or result.source == "classical":
        return complete_with_baseline(record, moment, reason or "no energy was measured")
    marked = msgspec.structs.replace(result, verdict=verdict_of(record, result))
    return complete(record, moment, result=marked, reason=reason, needs_review=result.accuracy.anomaly)


def verdict_of(record: JobRecord, result: MinimizeResult) -> Verdict:
    """The energy held against the reference by the rule of all verdicts.

    Energies are equal within chemical accuracy where the unit is hartree, else within 1e-6 of themselves. An energy is
    an expectation: measured again it is the same but for its standard error.
    """
    baseline, quantum = result.baseline, Side(value=result.energy, std_error=result.std_error)
    classical = None if baseline is None else Side(value=baseline.value, proven=baseline.exact)
    bound = None if baseline is None else baseline.bound
    relative = ROUNDING * max(1.0, abs(result.energy))
    tolerance = CHEMICAL_ACCURACY if result.unit == "hartree" else relative
    found = compare(quantum, classical, sense="min", bound=bound, tolerance=tolerance)
    return Verdict(
        call=found.call,
        reason=found.reason,
        rule=RULE,
        certainty=found.certainty,
        value=result.energy,
        classical=None if baseline is None else baseline.value,
        proven=found.proven,
        bound=bound,
        bound_method="" if baseline is None else baseline.bound_method,
        gap=None if bound is None else abs(result.energy - bound) / max(1.0, abs(bound)),
        quantum_seconds=quantum_seconds(record),
        classical_seconds=record.baseline_seconds,
        shots=record.shots,
        cost_usd=record.cost_usd,
        answer="classical" if found.call == "classical better" else "quantum",
    )


def _measured(record: JobRecord, answer: TaskScored) -> MinimizeResult:
    if answer.values is None:
        raise ValueError(f"task {answer.task_id} has no values")
    energy = numbers(answer.values)[0][0]
    error = numbers(answer.std_errors)[0][0] if answer.std_errors is not None else 0.0
    return measured_minimum(record, energy, error)
