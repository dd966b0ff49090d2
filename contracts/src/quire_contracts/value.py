"""The small values that messages are made of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quire_contracts import limits


class Value(msgspec.Struct, frozen=True, gc=False):
    """An immutable value. Unknown fields are ignored when read, so that a newer producer is understood.

    The collector of cycles does not look at values: a value is made after its parts, so there are none.
    """


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a job document: a field that nobody knows is a mistake and is refused."""


# Patterns end in \Z, because Python's $ also matches before a final newline; the JSON Schemas say $ for it.
Tenant = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}\Z", description="Who owns the work.")]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z", description="An id that can stand in a subject.")]
KeyOrNone = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}\Z", description="An id, or nothing.")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="SHA-256 in lower-case hexadecimal.")]
Target = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9-]{1,32}(:[A-Za-z0-9_.-]{1,64})?\Z",
        description="Where work can run: `simulation`, or a provider and a backend as in `qiskit:aer`.",
    ),
]
Name = Annotated[str, Meta(max_length=128)]
Text = Annotated[str, Meta(max_length=2_000)]
Program = Annotated[
    str, Meta(min_length=1, max_length=limits.PROGRAM_BYTES, description="OpenQASM 3 (or 2) source text.")
]
TraceParent = Annotated[str, Meta(max_length=55, description="W3C trace context: version, trace, span, flags.")]
Seconds = Annotated[float, Meta(ge=0)]
Priority = Literal["research", "validation", "production", "customer-facing"]
Phase = Literal["main", "sweep", "round", "final"]
"""Which part of a job a task is: its only work, a pre-screen of start points, an optimiser round, the last sampling."""

Late = Literal["stop", "unpaid", "keep"]
"""What becomes of work at a provider whose job has ended: cancelled wherever it is; cancelled only while it waits there
at a price; or left to run in any case. What is left to run is evidence when its answer comes."""

FaultKind = Literal["transient", "capacity", "offline", "calibration", "invalid", "spend", "unknown"]


class BlobRef(Value, frozen=True):
    """Content named by its digest; small content travels along in `inline`.

    `sha256` and `size` (bytes) describe the content itself, so that a reader can verify it wherever it came from.
    """

    sha256: Sha256
    size: Annotated[int, Meta(ge=0)]
    media_type: Annotated[str, Meta(max_length=128)]
    inline: Annotated[bytes, Meta(max_length=limits.INLINE_BYTES)] | None = None


class Matrix(Value, frozen=True):
    """A float64 matrix of shape [rows, columns]: little-endian, row-major bytes."""

    rows: Annotated[int, Meta(ge=0)]
    columns: Annotated[int, Meta(ge=0)]
    data: BlobRef


class CountsTable(Value, frozen=True):
    """Packed measurement counts, laid out by `quire_quantum.counts`.

    One row for each circuit run: row-major over [parameter set, measurement group], so `rows` is parameter sets times
    `groups`. `bits` is the width of an outcome. `bit_order` is always Qiskit's: the right-most bit is bit 0.
    """

    rows: Annotated[int, Meta(ge=0)]
    groups: Annotated[int, Meta(ge=1)]
    bits: Annotated[int, Meta(ge=0)]
    data: BlobRef
    bit_order: Literal["little"] = "little"


class Observable(Value, frozen=True):
    """A weighted sum of Pauli strings; the right-most character of a label acts on qubit 0."""

    labels: Annotated[tuple[str, ...], Meta(min_length=1, max_length=limits.OBSERVABLE_TERMS)]
    coefficients: Annotated[tuple[float, ...], Meta(min_length=1, max_length=limits.OBSERVABLE_TERMS)]


class Problem(Value, frozen=True):
    """One thing that is wrong with an input: where (a JSON pointer), why, which limit, and what to do about it."""

    pointer: Annotated[str, Meta(max_length=512)]
    reason: Text
    limit: Annotated[str, Meta(max_length=256)] | None = None
    hint: Text | None = None


class Fault(Value, frozen=True):
    """Why something failed, in words for its user: a class with an action, a stable code, and the next step.

    `retryable` says whether the same work may succeed later without a change to it.
    """

    kind: FaultKind
    code: Annotated[str, Meta(max_length=64)]
    reason: Text
    next_step: Text
    retryable: bool


class Timing(Value, frozen=True):
    """Where one stretch of a job's time went. `task_id` is empty for work that is the whole job's."""

    stage: Annotated[str, Meta(max_length=32)]
    resource: Literal["cpu", "gpu", "qpu", "wait"]
    started_at: datetime
    seconds: Seconds
    task_id: KeyOrNone = ""


class Execution(Value, frozen=True):
    """What ran, where and at which cost: the provenance of a result (requirement 4.4)."""

    target: Target
    provider: Name
    backend: Name
    region: Name
    calibration_id: Name
    circuit_sha256: Sha256
    shots: Annotated[int, Meta(ge=0)] | None
    parameter_sets: Annotated[int, Meta(ge=0)]
    started_at: datetime
    queue_seconds: Seconds
    compile_seconds: Seconds
    execute_seconds: Seconds
    provider_job_id: Name = ""
    simulator: bool = True
    compile_cached: bool = False
    compiled_depth: int | None = None
    two_qubit_gates: int | None = None
    cost_usd: Annotated[float, Meta(ge=0)] = 0.0
    transpiler: dict[str, str | int | float | bool | None] = msgspec.field(default_factory=dict)
    mitigation: dict[str, str | int | float | bool | None] = msgspec.field(default_factory=dict)
    provider_metadata: dict[str, str | int | float | bool | None] = msgspec.field(default_factory=dict)
    batch_id: KeyOrNone = ""
    task_id: KeyOrNone = ""
    phase: Phase | Literal[""] = ""
    attempt: int = 1


def inline_blob(data: bytes, media_type: str) -> BlobRef:
    """A reference that carries its content along.

    Raises:
        ValueError: if the content is larger than `limits.INLINE_BYTES`; such content belongs in the object store.
    """
    if len(data) > limits.INLINE_BYTES:
        raise ValueError(f"{len(data)} bytes cannot travel inline; at most {limits.INLINE_BYTES}")
    return BlobRef(sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type=media_type, inline=data)


def readable_key(parts: Sequence[str], longest: int) -> str:
    """A key that shows as much of the parts as fits into so many characters, and is unlike that of any others."""
    digest = hashlib.sha256("|".join(parts).encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9]+', '_', '-'.join(parts))[:longest]}-{digest}"
