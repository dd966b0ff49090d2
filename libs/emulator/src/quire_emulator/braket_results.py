"""Results as Braket puts them into S3: `results.json` of a program and of a program set."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from quire_emulator.circuits import CannotRunError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quire_emulator.configuration import Device, Noise
    from quire_emulator.jobs import Job
    from quire_emulator.sampling import Sampler, Shots

PROGRAM: Final = "braket.ir.openqasm.program"
PROGRAM_SET: Final = "braket.ir.openqasm.program_set"


class Header(msgspec.Struct, frozen=True):
    """Which schema a document follows."""

    name: str
    version: str = "1"


class Program(msgspec.Struct, frozen=True, rename="camel"):
    """One OpenQASM program; in a set each input is a list of values, one for each run."""

    source: str
    inputs: dict[str, float | list[float]] | None = None
    braket_schema_header: Header = Header(PROGRAM)

    def runs(self) -> list[dict[str, float]]:
        """The inputs of each run.

        Raises:
            ValueError: the lists differ in length, or a value is no list.
        """
        if not self.inputs:
            return [{}]
        columns = [column for column in self.inputs.values() if isinstance(column, list)]
        if len(columns) < len(self.inputs):
            raise ValueError("All Program inputs must be lists when using ProgramSet")
        rows = list(zip(*columns, strict=True))
        return [dict(zip(self.inputs, row, strict=True)) for row in rows]


class Action(msgspec.Struct, frozen=True, rename="camel"):
    """What a task runs."""

    braket_schema_header: Header
    source: str = ""
    inputs: dict[str, float | list[float]] | None = None
    programs: tuple[Program, ...] = ()

    @property
    def is_set(self) -> bool:
        """Whether it is a program set."""
        return self.braket_schema_header.name == PROGRAM_SET

    @property
    def runs(self) -> int:
        """How many executables it has; raises as `Program.runs` does."""
        return sum(len(program.runs()) for program in self.programs) if self.is_set else 1


def moment(at: float) -> str:
    """A time as Braket writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def results(
    job: Job, device: Device, arn: str, ended: float, *, noise: Noise, seed: int, sampler: Sampler
) -> tuple[bytes, int]:
    """The result document of a job, and how many shots or executables succeeded.

    Raises:
        CannotRunError: the program cannot be run.
    """
    action = msgspec.json.decode(job.order.body, type=Action)
    work = _Work(job, device, arn, ended, noise=noise, seed=seed, sampler=sampler)
    document, good = work.program_set(action) if action.is_set else work.program(action)
    return msgspec.json.encode(document), good


class _Work:
    def __init__(
        self, job: Job, device: Device, arn: str, ended: float, *, noise: Noise, seed: int, sampler: Sampler
    ) -> None:
        self._job, self._device, self._arn, self._ended = job, device, arn, ended
        self._noise, self._seed, self._sampler = noise, seed, sampler

    def program(self, action: Action) -> tuple[dict[str, Any], int]:
        order = self._job.order
        inputs = {name: value for name, value in (action.inputs or {}).items() if not isinstance(value, list)}
        found = self._sampler.braket(action.source, inputs, order.shots, self._noise, self._seed)
        good = round(order.shots * self._job.made.share)
        document = dict(found.whole) if found.whole else {}
        if order.shots:
            document |= self._measured(found, good)
        document["braketSchemaHeader"] = Header("braket.task_result.gate_model_task_result")
        document["taskMetadata"] = self._task_metadata(order.shots)
        program = Program(action.source, action.inputs)
        document["additionalMetadata"] = document.get("additionalMetadata", {}) | {"action": program}
        return document, good

    def program_set(self, action: Action) -> tuple[dict[str, Any], int]:
        order = self._job.order
        shots, good, failed, number, programs, metadata = order.shots // action.runs, 0, 0, 0, [], []
        fails_from = round(action.runs * self._job.made.share)
        for program in action.programs:
            executed: list[dict[str, Any]] = []
            for index, inputs in enumerate(program.runs()):
                executed.append(self._executable(program, inputs, index, shots, number, cut=number >= fails_from))
                number += 1
            failures = [each["failureMetadata"] for each in executed if "failureMetadata" in each]
            failed += len(failures)
            good += len(executed) - len(failures)
            programs.append(
                {
                    "braketSchemaHeader": Header("braket.task_result.program_result"),
                    "executableResults": executed,
                    "source": program,
                    "additionalMetadata": {},
                }
            )
            metadata.append({"executables": [each.get("failureMetadata", {}) for each in executed]})
        task = self._task_metadata(order.shots)
        task |= {
            "braketSchemaHeader": Header("braket.task_result.program_set_task_metadata"),
            "requestedShots": task.pop("shots"),
            "successfulShots": good * shots,
            "programMetadata": metadata,
            "totalFailedExecutables": failed,
        }
        document = {
            "braketSchemaHeader": Header("braket.task_result.program_set_task_result"),
            "programResults": programs,
            "taskMetadata": task,
            "s3Location": None,
        }
        return document, good * shots

    def _executable(
        self, program: Program, inputs: Mapping[str, float], index: int, shots: int, number: int, *, cut: bool
    ) -> dict[str, Any]:
        reason, category = ("The device failed while it ran this executable", "DEVICE") if cut else ("", "")
        if not cut:
            try:
                found = self._sampler.braket(program.source, inputs, shots, self._noise, self._seed + number)
            except CannotRunError as error:
                reason, category = str(error), "COMPILATION"
            else:
                header = Header("braket.task_result.program_set_executable_result")
                return {"braketSchemaHeader": header, "inputsIndex": index} | self._measured(found, shots)
        return {
            "braketSchemaHeader": Header("braket.task_result.program_set_executable_failure"),
            "inputsIndex": index,
            "failureMetadata": {"failureReason": reason, "retryable": cut, "category": category},
        }

    def _measured(self, found: Shots, good: int) -> dict[str, Any]:
        """The columns are the measured bits in rising order, as `measuredQubits` says."""
        rows = found.matrix[:good]
        qubits = [bit.qubit for bit in found.bits]
        if not self._device.counts_only or found.whole:
            return {"measurements": rows.tolist(), "measuredQubits": qubits}
        counted = Counter(map(bytes, rows + ord("0")))
        chances = {pattern.decode(): count / len(rows) for pattern, count in sorted(counted.items())}
        return {"measurementProbabilities": chances, "measuredQubits": qubits}

    def _task_metadata(self, shots: int) -> dict[str, Any]:
        return {
            "braketSchemaHeader": Header("braket.task_result.task_metadata"),
            "id": self._arn,
            "shots": shots,
            "deviceId": self._device.arn,
            "createdAt": moment(self._job.made.at),
            "endedAt": moment(self._ended),
            "status": "COMPLETED",
        }
