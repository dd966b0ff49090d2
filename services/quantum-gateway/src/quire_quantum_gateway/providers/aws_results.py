"""Braket's result files as single shots: of one program, or of a program set, in one file or in many.

The SDK's own reading checks each bit by pydantic (0.6 s for 10,000 shots of 20 qubits; this takes 0.03 s), and
follows references with a client that knows no endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Read = Callable[[str, str], str]
    """The text of an object: (bucket, key)."""

FILE: Final = "results.json"


class Header(msgspec.Struct):
    """Which schema a file is of."""

    name: str
    version: str


class Measured(msgspec.Struct, rename="camel"):
    """What was measured: single shots, or how likely each outcome was; rows of bits in the order of the qubits."""

    inputs_index: int = 0
    measurements: list[list[int]] | None = None
    measurement_probabilities: dict[str, float] | None = None
    measured_qubits: list[int] | None = None
    failure_metadata: dict[str, Any] | None = None
    additional_metadata: dict[str, Any] | None = None


class _Program(msgspec.Struct, rename="camel"):
    executable_results: list[str | Measured]


class _Result(msgspec.Struct, rename="camel"):
    braket_schema_header: Header
    program_results: list[str | _Program] = []
    s3_location: tuple[str, str] | None = None


class ExecutableFailed(Exception):
    """An executable of a program set did not run. retryable: whether the service says that it may run another time."""

    def __init__(self, category: str, *, retryable: bool) -> None:
        super().__init__(f"an executable failed: {category}")
        self.category = category
        self.retryable = retryable


def read_result(read: Read, bucket: str, folder: str) -> list[Measured]:
    """What a task measured, executable by executable in the order of its programs and their inputs.

    One that did not run is among them, and `failure_of` says why. read: fetches an object's text.
    bucket, folder: where the task's result is.

    Raises:
        msgspec.MsgspecError, LookupError: the files are of a schema that is not known here.
        Whatever `read` raises.
    """
    text = read(bucket, f"{folder}/{FILE}")
    result = msgspec.json.decode(text, type=_Result)
    name = result.braket_schema_header.name.rpartition(".")[2]
    if name == "gate_model_task_result":
        return [msgspec.json.decode(text, type=Measured)]
    if name != "program_set_task_result":
        raise LookupError(f"results of schema {name} are not read here")
    found = []
    for each in result.program_results:
        found += sorted(_executables(read, result.s3_location, each), key=lambda measured: measured.inputs_index)
    return found


def failure_of(measured: Measured) -> ExecutableFailed | None:
    """Why an executable did not run; None where it did."""
    failure = measured.failure_metadata
    if failure is None:
        return None
    return ExecutableFailed(str(failure.get("category")).lower(), retryable=bool(failure.get("retryable")))


def shots_of(measured: Measured, qubits: tuple[int, ...], shots: int) -> NDArray[np.uint8]:
    """Single shots, uint8 [shots, qubits], columns in the order of `qubits`: a device names its own.

    Where a device gives probabilities, shots are dealt out to the outcomes in proportion, the rest by largest remainder
    (ties go to the smaller outcome), so that they are as many as were asked for.

    Raises:
        ValueError: it is not what was asked for.
    """
    if measured.measurements is not None:
        table = np.array(measured.measurements, dtype=np.uint8).reshape(len(measured.measurements), -1)
    elif measured.measurement_probabilities is not None:
        table = _dealt(measured.measurement_probabilities, shots)
    else:
        raise ValueError("the result has neither measurements nor probabilities")
    order = measured.measured_qubits if measured.measured_qubits is not None else list(qubits)
    if len(table) != shots or table.shape[1] != len(order) or table.max(initial=0) > 1:
        raise ValueError(f"the result's shape {table.shape} is not that of {shots} shots of {len(order)} qubits")
    return table[:, [order.index(qubit) for qubit in qubits]]


def _executables(read: Read, location: tuple[str, str] | None, program: str | _Program) -> Iterator[Measured]:
    """The executables of one program, which stand in place or are named by their files, beside their program's."""
    place: tuple[str, str] | None = None
    if isinstance(program, str):
        bucket, folder = location or _nowhere()
        place = bucket, f"{folder}/{program}".removesuffix(f"/{FILE}")
        program = msgspec.json.decode(read(bucket, f"{folder}/{program}"), type=_Program)
    for each in program.executable_results:
        measured = each
        if isinstance(measured, str):
            bucket, folder = place or _nowhere()
            measured = msgspec.json.decode(read(bucket, f"{folder}/{measured}"), type=Measured)
        yield measured


def _nowhere() -> tuple[str, str]:
    raise LookupError("the result names files and not where they are")


def _dealt(probabilities: dict[str, float], shots: int) -> NDArray[np.uint8]:
    outcomes = sorted(probabilities)
    exact = np.array([probabilities[each] for each in outcomes]) * shots
    tallies = np.floor(exact).astype(np.int64)
    missing = shots - int(tallies.sum())
    if not 0 <= missing <= len(outcomes):
        raise ValueError("the probabilities do not add up to 1")
    tallies[np.argsort(tallies - exact, kind="stable")[:missing]] += 1
    digits = np.frombuffer("".join(outcomes).encode(), np.uint8).reshape(len(outcomes), -1) - ord("0")
    return np.repeat(digits, tallies, axis=0)
