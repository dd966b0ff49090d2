"""A draft's large parts put into the content store, which makes it the preparation that messages carry."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from quire_contracts.limits import INLINE_BYTES
from quire_contracts.preparation import Loop, LoopCircuit, Preparation
from quire_contracts.value import BlobRef, Matrix
from quire_preprocessing.draft import Draft, Several

STRUCTURE: Final = "application/vnd.quire.structure+qasm"
MATRIX: Final = "application/vnd.quire.float64"
OBSERVABLES: Final = "application/vnd.quire.observables+json"
PROBLEM: Final = "application/vnd.quire.problem+json"
PROBLEM_INLINE_BYTES: Final = 512
"""Every slice of a batch names the problem that it is scored by, and many slices share a message."""


class ContentStore(Protocol):
    """What is needed of `quire_bus.blobs.Blobs`."""

    async def put(self, data: bytes, media_type: str, inline_limit: int = INLINE_BYTES) -> BlobRef:
        """Store content under its digest; idempotent. Up to `inline_limit` bytes travel in the reference."""
        ...


async def put_away(draft: Draft, store: ContentStore, *, input_sha256: str) -> Preparation:
    """Store the draft's structure, matrices and observables, and refer to them.

    Equal drafts give equal preparations, byte for byte; doing it again stores nothing new.
    """
    loop = None
    if draft.start_points is not None:
        problem = None
        if draft.problem is not None:
            problem = await store.put(msgspec.json.encode(draft.problem), PROBLEM, inline_limit=PROBLEM_INLINE_BYTES)
        points = await put_matrix(draft.start_points, store)
        loop = Loop(
            start_points=points,
            scale=draft.scale,
            problem=problem,
            unit=draft.unit,
            spectra=draft.spectra,
            columns=draft.columns,
            cvar=draft.cvar,
            starts=draft.starts,
        )
        if draft.several is not None:
            loop = await _with_several(loop, draft.several, store)
    observables = None
    if draft.observables is not None:
        observables = await store.put(msgspec.json.encode(draft.observables), OBSERVABLES)
    return Preparation(
        structure=await store.put(draft.structure.to_text().encode(), STRUCTURE),
        qubits=draft.structure.num_qubits,
        parameters=None if draft.parameters is None else await put_matrix(draft.parameters, store),
        observables=observables,
        shots=draft.shots,
        input_sha256=input_sha256,
        estimate=draft.estimate,
        loop=loop,
        notes=draft.notes,
        mitigation=draft.mitigation,
        kernel=draft.kernel,
    )


async def _with_several(loop: Loop, several: Several, store: ContentStore) -> Loop:
    """The loop with its circuits, their texts put apart: a record that holds several has no room for those."""
    circuits = [
        LoopCircuit(
            name=each.name,
            structure=await store.put(each.structure.to_text().encode(), STRUCTURE, inline_limit=0),
            estimate=each.estimate,
            start_points=await put_matrix(each.start_points, store),
            spectra=each.spectra,
            columns=each.columns,
        )
        for each in several.circuits
    ]
    return msgspec.structs.replace(loop, circuits=tuple(circuits), climbs=several.climbs, mixed=several.mixed)


async def put_matrix(numbers: NDArray[np.float64], store: ContentStore) -> Matrix:
    """Store a matrix of float64 and refer to it."""
    rows, columns = numbers.shape
    return Matrix(rows=rows, columns=columns, data=await store.put(numbers.astype("<f8").tobytes(), MATRIX))
