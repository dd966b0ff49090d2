"""The content of work: what an answer depends on and nothing else, as one digest for each member."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from quire_quantum.executor import Member, Work

_IDEAL_SECONDS: Final = 1.2e-9
"""Of one amplitude and gate on one core, as measured (qulacs, Aer and NumPy agree within a factor of two)."""

_RUN_SECONDS: Final = 2e-4
"""Of anything at all, for each circuit run."""

_encoder: Final = msgspec.json.Encoder()


def keys(identity: str, work: Work) -> list[str | None]:
    """One digest for each member, equal exactly where the answers must be; None where each is run for itself.

    identity: everything besides the work that the numbers depend on: target, software and its versions, settings that
        change the numbers, calibration.

    What is wanted fresh is shared with nobody. Sampling is repeatable only with a seed; an exact answer depends on no
    seed, so that jobs of different seeds share it.
    """
    asked = (identity, work.structure.sha256, work.observables, work.shots, work.reduced, work.mitigation, work.places)
    head = hashlib.sha256(_encoder.encode(asked))
    return [_key(head.copy(), member, exact=work.shots is None) for member in work.members]


def _key(digest: hashlib._Hash, member: Member, *, exact: bool) -> str | None:
    if member.fresh or (member.seed is None and not exact):
        return None
    rows, columns = member.parameters.shape
    seed, first = (0, 0) if exact else (member.seed or 0, member.first)
    digest.update(b"%d %d %d %d\n" % (rows, columns, seed, first))
    digest.update(np.ascontiguousarray(member.parameters, "<f8").data)
    return digest.hexdigest()


def estimated_seconds(work: Work, rows: int) -> float:
    """About how long `rows` parameter sets take on one core without noise; a lower bound where there is noise."""
    gates, amplitudes = len(work.structure.operations), 2.0**work.structure.num_qubits
    return rows * (_RUN_SECONDS + _IDEAL_SECONDS * gates * amplitudes)
