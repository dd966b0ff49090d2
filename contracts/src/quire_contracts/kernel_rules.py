"""The rules of a kernel job that a type cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_contracts import limits
from quire_contracts.kernel import PauliMap, ProgramMap
from quire_contracts.value import Problem

if TYPE_CHECKING:
    from quire_contracts.document import KernelJob
    from quire_contracts.kernel import Features, Points

_MOST = 10
"""Faults that are told of one kind: who makes one mistake in each row need not read all of them."""


def kernel_rules(job: KernelJob) -> list[Problem]:
    """What is wrong with a kernel job; pointers begin at the document's root."""
    width = len(job.points[0])
    found = _rows("points", job.points, width) + _rows("others", job.others, width)
    if not found:
        found = _features(job.features, width) + _map(job, encoded(job.features, width))
    return found + _matrix(job)


def encoded(features: Features, width: int) -> int:
    """How many of a point's `width` features are encoded."""
    taken = len(features.columns) or width
    return taken if features.most_varied is None else min(taken, features.most_varied)


def _rows(field: str, points: Points, width: int) -> list[Problem]:
    found = []
    for row, point in enumerate(points):
        if len(point) != width:
            reason = f"this point has {len(point)} features, the first has {width}"
            hint = "give every point the same features in the same order"
            found.append(Problem(pointer=f"/{field}/{row}", reason=reason, hint=hint))
    return found[:_MOST]


def _features(features: Features, width: int) -> list[Problem]:
    found, columns = [], features.columns
    for place, column in enumerate(columns):
        where = f"/features/columns/{place}"
        if column >= width:
            reason, hint = f"there is no feature {column}", "features are counted from 0"
            found.append(Problem(pointer=where, reason=reason, limit=f"below {width}", hint=hint))
        elif column in columns[:place]:
            found.append(Problem(pointer=where, reason=f"feature {column} is named twice", hint="name each once"))
    taken = len(columns) or width
    if features.most_varied is not None and features.most_varied > taken:
        reason, hint = f"{features.most_varied} of {taken} features cannot be taken", "lower it, or leave it out"
        found.append(
            Problem(pointer="/features/most_varied", reason=reason, limit=f"at most {taken}", hint=hint),
        )
    if features.scaling == "minmax" and not features.low < features.high:
        reason, hint = f"the features would go from {features.low:g} to {features.high:g}", "give a low below the high"
        found.append(Problem(pointer="/features/high", reason=reason, limit=f"above {features.low:g}", hint=hint))
    return found[:_MOST]


def _map(job: KernelJob, qubits: int) -> list[Problem]:
    match job.feature_map:
        case ProgramMap():  # how many inputs and qubits it has is known once it is parsed
            return []
        case PauliMap(paulis=paulis):
            found = [
                Problem(
                    pointer=f"/feature_map/paulis/{place}",
                    reason=f"{string} acts on {len(string)} qubits, there are {qubits}",
                    limit=f"at most {qubits} letters",
                    hint="shorten the string, or encode more features",
                )
                for place, string in enumerate(paulis)
                if len(string) > qubits
            ]
        case _:
            found = []
    if qubits > limits.KERNEL_QUBITS:
        reason = f"{qubits} features are encoded, and each one needs a qubit"
        hint = "choose features by `features.columns` or `features.most_varied`"
        limit = f"at most {limits.KERNEL_QUBITS} features"
        found.append(Problem(pointer="/features", reason=reason, limit=limit, hint=hint))
    return found[:_MOST]


def _matrix(job: KernelJob) -> list[Problem]:
    found = []
    count = len(job.points)
    sets = len(job.others) * count if job.others else count * (count - 1) // 2
    if sets > limits.KERNEL_ENTRIES:
        reason = f"the matrix has {sets} entries that differ, and each one is a circuit"
        hint = "take fewer points, or split `others` over several jobs"
        limit = f"at most {limits.KERNEL_ENTRIES} entries"
        found.append(Problem(pointer="/others" if job.others else "/points", reason=reason, limit=limit, hint=hint))
    if job.enforce_psd and job.others:
        reason = "a matrix between different points has no eigenvalues to correct"
        found.append(Problem(pointer="/enforce_psd", reason=reason, hint="leave `enforce_psd` or `others` out"))
    return found
