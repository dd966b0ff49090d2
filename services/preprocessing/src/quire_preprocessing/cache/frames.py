"""What jobs with one structure and one question have in common: put away once, then filled in for each job."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec
from opentelemetry.metrics import Meter

from quire_contracts.document import EstimateJob, SampleJob
from quire_contracts.intake import content_sha256
from quire_contracts.preparation import Preparation
from quire_contracts.value import BlobRef, Matrix
from quire_preprocessing.cache.bounded import Bounded
from quire_preprocessing.circuits import mitigation_of, shots_of, total_shots
from quire_preprocessing.draft import Bounds
from quire_resilience.clock import Clock

FRESH_SECONDS: Final = 600.0
"""How long content that was put away is taken to be there without putting it again; the store keeps it for days."""

_BYTES: Final = 2_000
_encoder: Final = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True)
class Frame:
    """The first job's preparation, whose structure, observables and notes are every such job's.

    circuits: for each parameter set.
    """

    preparation: Preparation
    circuits: int

    def filled(self, document: SampleJob | EstimateJob, parameters: Matrix, bounds: Bounds) -> Preparation:
        """The preparation of a job with this structure and question, byte for byte as it would be made anew.

        Raises:
            Refused: if its shots are too fine or too many.
        """
        shots = shots_of(document)
        total = total_shots(document, self.circuits, bounds)
        estimate = msgspec.structs.replace(self.preparation.estimate, parameter_sets=parameters.rows, shots=total)
        return msgspec.structs.replace(
            self.preparation,
            parameters=parameters,
            shots=shots,
            input_sha256=content_sha256(document),
            estimate=estimate,
        )


class Frames:
    """Frames by structure and question, at most `most_bytes` of them and each for `FRESH_SECONDS`."""

    def __init__(self, clock: Clock, *, most_bytes: int, meter: Meter) -> None:
        self._clock = clock
        self._frames: Bounded[str, tuple[Frame, float]] = Bounded("frames", most_bytes, meter)

    def get(self, key: str) -> Frame | None:
        """The frame, if there is one whose content was put away not long ago."""
        found = self._frames.get(key)
        if found is None or self._clock.monotonic() - found[1] > FRESH_SECONDS:
            return None
        return found[0]

    def put(self, key: str, frame: Frame) -> None:
        """Keep a frame whose content has just been put away."""
        size = _BYTES + _inline(frame.preparation.structure) + _inline(frame.preparation.observables)
        self._frames.put(key, (frame, self._clock.monotonic()), size)


def key_of(document: SampleJob | EstimateJob, structure_sha256: str) -> str:
    """What the frame of a document depends on: its program's structure and its question, numbers of shots apart."""
    mitigated = _encoder.encode(mitigation_of(document))
    if isinstance(document, SampleJob):
        return f"sample|{structure_sha256}|{hashlib.sha256(mitigated).hexdigest()}"
    question = hashlib.sha256(_encoder.encode(document.observables) + mitigated).hexdigest()
    return f"{'exact' if document.precision == 0 else 'shots'}|{structure_sha256}|{question}"


def _inline(ref: BlobRef | None) -> int:
    return len(ref.inline) if ref is not None and ref.inline is not None else 0
