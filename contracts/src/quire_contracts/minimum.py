"""The answer of a minimisation, from its job's record and an energy: pure, and the same wherever it is worked out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quire_contracts.record import baseline_of
from quire_contracts.result import Accuracy, MinimizeResult
from quire_contracts.vqe import CHEMICAL_ACCURACY

if TYPE_CHECKING:
    from quire_contracts.preparation import Baseline
    from quire_contracts.record import JobRecord

ROUNDING: Final = 1e-6
"""By how much of itself an exact energy may miss another for reasons of arithmetic: amplitudes may be of float32."""

_SIGMAS: Final = 2.0
"""Standard errors either way within which a measured energy is taken to lie: 95 %."""

_ANOMALOUS: Final = 4.0
"""Standard errors below what can be that are no chance: 1 in 30,000."""


def measured_minimum(record: JobRecord, energy: float, std_error: float) -> MinimizeResult:
    """The answer with this energy, measured at the loop's best parameters."""
    checkpoint, baseline = record.checkpoint, baseline_of(record)
    unit = _unit(record)
    return MinimizeResult(
        energy=energy,
        std_error=std_error,
        parameters=checkpoint.best_parameters if checkpoint is not None else (),
        history=checkpoint.history if checkpoint is not None else (),
        baseline=baseline,
        accuracy=accuracy(energy, std_error, baseline, unit),
        baseline_seconds=record.baseline_seconds,
        stopped=checkpoint.stopped if checkpoint is not None else "",
        unit=unit,
        screened=checkpoint.screened if checkpoint is not None else (),
    )


def minimum_so_far(record: JobRecord) -> MinimizeResult | None:
    """The answer with the least energy of the rounds so far; None before the first."""
    checkpoint = record.checkpoint
    if checkpoint is None or checkpoint.best_objective is None:
        return None
    return measured_minimum(record, checkpoint.best_objective, checkpoint.best_std_error or 0.0)


def classical_minimum(record: JobRecord) -> MinimizeResult | None:
    """The classical reference as the answer; None where there is none (yet)."""
    baseline = baseline_of(record)
    if baseline is None:
        return None
    unit = _unit(record)
    return MinimizeResult(
        energy=baseline.value,
        std_error=0.0,
        parameters=(),
        history=record.checkpoint.history if record.checkpoint is not None else (),
        baseline=baseline,
        accuracy=accuracy(baseline.value, 0.0, baseline, unit),
        baseline_seconds=record.baseline_seconds,
        source="classical",
        unit=unit,
    )


def accuracy(energy: float, std_error: float, baseline: Baseline | None, unit: str) -> Accuracy:
    """How near an energy is to the reference; what is left open by its standard error stays open."""
    if baseline is None:
        return Accuracy()
    error = energy - baseline.value
    floor = baseline.value if baseline.exact else baseline.bound
    return Accuracy(
        error=error,
        chemical=_chemical(error, std_error) if baseline.exact and unit == "hartree" else None,
        anomaly="" if floor is None else _anomaly(energy, std_error, floor, exact=baseline.exact),
    )


def _chemical(error: float, std_error: float) -> bool | None:
    if abs(error) + _SIGMAS * std_error <= CHEMICAL_ACCURACY:
        return True
    return False if abs(error) - _SIGMAS * std_error > CHEMICAL_ACCURACY else None


def _anomaly(energy: float, std_error: float, floor: float, *, exact: bool) -> str:
    below = floor - energy
    if below <= _ANOMALOUS * std_error + ROUNDING * max(1.0, abs(floor)):
        return ""
    what = "the exact ground energy" if exact else "any energy that the Hamiltonian has"
    return f"the energy is {below:.3g} below {what}, {floor:.9g}, which is more than {_ANOMALOUS:g} standard errors"


def _unit(record: JobRecord) -> str:
    loop = record.preparation.loop if record.preparation is not None else None
    return loop.unit if loop is not None else ""
