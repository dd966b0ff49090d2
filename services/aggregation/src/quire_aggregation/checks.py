"""What an answer must satisfy before anyone is told it: a table of checks, in the order in which they may be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from quire_aggregation import kernels
from quire_aggregation.evidence import Evidence
from quire_aggregation.scoring import is_diagonal, tolerance
from quire_aggregation.solving import disagreement
from quire_aggregation.spreads import unfounded
from quire_aggregation.steadiness import unsteady
from quire_aggregation.variational import below_ground
from quire_contracts.task import scores_samples
from quire_contracts.value import Fault
from quire_problems import contradiction
from quire_problems import tolerance as close_to
from quire_quantum.counts import CountsError

_FLOAT_BYTES: Final = 8
_SLACK: Final = 1e-9
"""Rounding allowed beyond a bound, relative to it."""

_SOLVED: Final = 1e-6
"""What a solver's bound may be off by, relative to it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, to which answers it applies, and what is wrong with one (None when it passes)."""

    name: str
    applies: Callable[[Evidence], bool]
    fault: Callable[[Evidence], str | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The names of the checks that passed, and the fault of the one that did not."""

    passed: tuple[str, ...]
    fault: Fault | None = None


def examine(evidence: Evidence) -> Verdict:
    """Hold an answer against every check that applies; the first failure ends it, since later ones build on it."""
    passed: list[str] = []
    for check in CHECKS:
        if not check.applies(evidence):
            continue
        reason = check.fault(evidence)
        if reason is not None:
            return Verdict(tuple(passed), _fault(check.name, reason))
        passed.append(check.name)
    return Verdict(tuple(passed))


def _fault(name: str, reason: str) -> Fault:
    """A wrong answer says nothing about the work, only about this run of it: it may be run again."""
    return Fault(
        kind="transient",
        code=f"check-{name}",
        reason=f"the answer did not pass the check '{name}': {reason}",
        next_step="The work is run again, or at its next target; if that fails too, report it with the job's id.",
        retryable=True,
    )


def _coverage(evidence: Evidence) -> str | None:
    row = 0
    for piece in evidence.pieces:
        if piece.first != row:
            return f"a slice begins at row {piece.first}, row {row} was expected"
        row += piece.rows
    return None if row == evidence.total_rows else f"{row} of {evidence.total_rows} parameter sets were answered"


def _kind(evidence: Evidence) -> str | None:
    counted, reduced = evidence.counted, evidence.reduced
    wanted = "counts" if counted else "values with errors" if reduced else "exact values"
    for piece in evidence.pieces:
        came = (piece.counts is not None, piece.values is not None, piece.std_errors is not None)
        if came != (counted, not counted, reduced):
            return f"{wanted} were asked for and something else came"
    return None


def _bit_order(evidence: Evidence) -> str | None:
    orders = {str(piece.counts.bit_order) for piece in evidence.pieces if piece.counts is not None}
    return None if orders <= {"little"} else f"outcomes are in the order {sorted(orders)}, only 'little' is known"


def _shape(evidence: Evidence) -> str | None:
    groups, columns = evidence.question.groups, len(evidence.question.observables)
    for piece in evidence.pieces:
        counts, values = piece.counts, piece.values
        if counts is not None and (counts.rows, counts.groups) != (piece.rows * groups, groups):
            return f"{counts.rows} rows in {counts.groups} groups for {piece.rows} parameter sets in {groups}"
        for found in (values, piece.std_errors):
            if found is not None and (found.rows, found.columns) != (piece.rows, columns):
                return (
                    f"{found.rows} x {found.columns} values for {piece.rows} parameter sets and {columns} observables"
                )
    return None


def _width(evidence: Evidence) -> str | None:
    widths = {piece.counts.bits for piece in evidence.pieces if piece.counts is not None}
    if evidence.question.bits is not None and widths != {evidence.question.bits}:
        return f"outcomes have {sorted(widths)} bits, {evidence.question.bits} were measured"
    return None if len(widths) == 1 else f"slices differ in the width of their outcomes: {sorted(widths)}"


def _layout(evidence: Evidence) -> str | None:
    if not evidence.counted:
        width = _FLOAT_BYTES * len(evidence.question.observables)
        for piece in evidence.pieces:
            for data in (piece.data, piece.error_data) if evidence.reduced else (piece.data,):
                if len(data) != piece.rows * width:
                    return f"{len(data)} bytes for {piece.rows} rows of values"
        return None
    try:
        _ = evidence.counts
    except CountsError as error:
        return str(error)
    return None


def _totals(evidence: Evidence) -> str | None:
    shots, totals = evidence.question.shots, evidence.counts.shots
    wrong = np.flatnonzero(totals != shots)
    return f"row {wrong[0]} has {totals[wrong[0]]} shots, {shots} were asked for" if len(wrong) else None


def _finite(evidence: Evidence) -> str | None:
    values, errors = evidence.estimates or _NOTHING
    wrong = np.argwhere(~(np.isfinite(values) & np.isfinite(errors)))
    return f"the value at {wrong[0].tolist()} is not a finite number" if len(wrong) else None


def _bounds(evidence: Evidence) -> str | None:
    """No expectation value of a Pauli sum, nor its standard error, is above the sum of the absolute coefficients."""
    values, errors = evidence.estimates or _NOTHING
    bounds = np.array([np.abs(observable.coefficients).sum() for observable in evidence.question.observables])
    limits = bounds * (1 + _SLACK) + _SLACK
    wrong = np.argwhere((np.abs(values) > limits) | (errors < 0) | (errors > limits))
    if not len(wrong):
        return None
    row, column = wrong[0]
    return f"the value at [{row}, {column}] is {values[row, column]:g}, its size can be {bounds[column]:g} at most"


def _kernel(evidence: Evidence) -> str | None:
    """One column of values, and these the fidelities of points."""
    if evidence.kernel is None or evidence.estimates is None:
        return "a kernel is worked out from the values of one observable"
    values, bounded = evidence.estimates[0], not evidence.mitigated
    if values.shape[1] != 1:
        return f"{values.shape[1]} observables for one kernel"
    return kernels.contradiction(values[:, 0], evidence.kernel, rounding=evidence.rounding, bounded=bounded)


def _diagonal(evidence: Evidence) -> str | None:
    observables = evidence.question.observables
    if len(observables) == 1 and is_diagonal(observables[0]):
        return None
    return "only samples of one diagonal cost have an objective"


def _solution(evidence: Evidence) -> str | None:
    """The best answer against its problem: its width, its feasibility, its objective, and that within what can be."""
    yardstick, bits = evidence.yardstick, evidence.question.bits
    if yardstick is None:
        return None
    if yardstick.kind.variables != bits:
        return f"the problem has {yardstick.kind.variables} variables, outcomes have {bits} bits"
    best = evidence.score.best if evidence.score is not None else None
    if best is None:
        return None
    wrong = contradiction(yardstick.kind, best.assignment, best.value, feasible=best.feasible)
    return wrong or disagreement(best, evidence.question.observables[0], yardstick)


def _optimum(evidence: Evidence) -> str | None:
    scoring, scored, yardstick = evidence.scoring, evidence.score, evidence.yardstick
    if scoring is None or scored is None or scored.best is None or scoring.reference is None:
        return None
    if not scored.best.feasible:
        return None
    ahead = scoring.scale * (scoring.reference - scored.best.value)
    if ahead <= (tolerance(evidence.question.observables[0]) if yardstick is None else close_to(yardstick.kind)):
        return None
    return f"the objective {scored.best.value:g} is better than the proven optimum {scoring.reference:g}"


def _beyond(evidence: Evidence) -> str | None:
    """No feasible answer is better than a bound, to the tolerance of the solvers that state bounds."""
    scoring, scored = evidence.scoring, evidence.score
    if scoring is None or scored is None or scored.best is None or scoring.bound is None or not scored.best.feasible:
        return None
    ahead = scoring.scale * (scoring.bound - scored.best.value)
    if ahead <= max(tolerance(evidence.question.observables[0]), _SOLVED * max(1.0, abs(scoring.bound))):
        return None
    return f"the objective {scored.best.value:g} is better than the proven bound {scoring.bound:g}"


def _always(_: Evidence) -> bool:
    return True


def _counted(evidence: Evidence) -> bool:
    return evidence.counted


def _estimated(evidence: Evidence) -> bool:
    return evidence.question.grouping is not None


def _within_bounds(evidence: Evidence) -> bool:
    return _estimated(evidence) and not evidence.mitigated


def _spread(evidence: Evidence) -> bool:
    return evidence.reduced and not evidence.mitigated


def _has_kernel(evidence: Evidence) -> bool:
    return evidence.kernel is not None


def _scorable(evidence: Evidence) -> bool:
    return scores_samples(evidence.scoring)


def _measured(evidence: Evidence) -> bool:
    return evidence.yardstick is not None


def _proven(evidence: Evidence) -> bool:
    return _scorable(evidence) and _exact(evidence)


def _bounded(evidence: Evidence) -> bool:
    return _scorable(evidence) and evidence.scoring is not None and evidence.scoring.bound is not None


def _expects(evidence: Evidence) -> bool:
    return _scorable(evidence) and evidence.scoring is not None and evidence.scoring.expected is not None


def _ground_known(evidence: Evidence) -> bool:
    return not _scorable(evidence) and _exact(evidence) and not evidence.mitigated


def _exact(evidence: Evidence) -> bool:
    return evidence.scoring is not None and evidence.scoring.reference_exact


_NOTHING: Final = (np.zeros((0, 0)), np.zeros((0, 0)))

CHECKS: Final = (
    Check("coverage", _always, _coverage),
    Check("kind", _always, _kind),
    Check("bit-order", _counted, _bit_order),
    Check("shape", _always, _shape),
    Check("width", _counted, _width),
    Check("layout", _always, _layout),
    Check("totals", _counted, _totals),
    Check("finite", _estimated, _finite),
    Check("bounds", _within_bounds, _bounds),
    Check("ground", _ground_known, below_ground),
    Check("kernel", _has_kernel, _kernel),
    Check("errors", _spread, unfounded),
    Check("diagonal", _scorable, _diagonal),
    Check("solution", _measured, _solution),
    Check("optimum", _proven, _optimum),
    Check("bound", _bounded, _beyond),
    Check("steady", _expects, unsteady),
)
