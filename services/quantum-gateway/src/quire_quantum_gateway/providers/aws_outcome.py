"""A batch that ran at Amazon Braket, as the executor port's outcome: counts in Qiskit's order, and what ran where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from quire_contracts.value import Execution
from quire_quantum.executor import Outcome
from quire_quantum_gateway.providers.aws_device import Device, price
from quire_quantum_gateway.providers.aws_results import Measured, shots_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quire_quantum.executor import Work
    from quire_quantum_gateway.providers.aws_tasks import Plan


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished job.

    tasks: as GetQuantumTask shows them. measured: for each task, for each of its executables.
    """

    device: Device
    planned: Plan
    tasks: tuple[Mapping[str, Any], ...]
    measured: tuple[Sequence[Measured], ...]


def outcome_of(ran: Ran, work: Work, *, backend: str, region: str, task_usd: float) -> Outcome:
    """The outcome of a finished job.

    Raises:
        ValueError: what was measured is not what was asked for.
    """
    from quire_quantum_gateway.providers.braket_sets import packed  # noqa: PLC0415 - imports the SDK

    programs, shots = ran.planned.programs, work.shots or 0
    drawn = {
        (program, row): shots_of(measured, programs[program].measured_qubits, shots)
        for part, results in zip(ran.planned.parts, ran.measured, strict=True)
        for (program, row), measured in zip(part, results, strict=True)
    }
    table = iter([[drawn[program, row] for program in range(len(programs))] for row in range(work.rows)])
    members = tuple(packed([next(table) for _ in member.parameters], programs, work) for member in work.members)
    return Outcome(members, _execution(ran, work, backend, region, task_usd))


def _execution(ran: Ran, work: Work, backend: str, region: str, task_usd: float) -> Execution:
    """Where the service does not say how long a task ran, all of its time counts as waiting."""
    started = min(task["createdAt"] for task in ran.tasks)
    took = (max(task.get("endedAt", started) for task in ran.tasks) - started).total_seconds()
    seconds, shots = _seconds(ran), ran.planned.executables * (work.shots or 0)
    return Execution(
        target=f"aws:{backend}",
        provider="aws",
        backend=backend,
        region=region,
        calibration_id=ran.device.calibration_id,
        circuit_sha256=work.structure.sha256,
        shots=work.shots,
        parameter_sets=work.rows,
        started_at=started.astimezone(UTC),
        queue_seconds=max(0.0, took - (seconds or 0.0)),
        compile_seconds=0.0,
        execute_seconds=seconds or 0.0,
        provider_job_id=ran.tasks[0]["quantumTaskArn"],
        simulator=ran.device.simulator,
        cost_usd=price(ran.device, len(ran.tasks), shots, task_usd, seconds),
        provider_metadata={
            "device": ran.device.arn,
            "tasks": len(ran.tasks),
            "executables": ran.planned.executables,
            "program_sets": ran.planned.as_sets,
        },
    )


def _seconds(ran: Ran) -> float | None:
    """How long simulators say that they ran, all together; None where nobody says."""
    about = [each.additional_metadata or {} for results in ran.measured for each in results]
    known = [(each.get("simulatorMetadata") or {}).get("executionDuration") for each in about]
    milliseconds = [float(each) for each in known if each is not None]
    return sum(milliseconds) / 1000 if milliseconds else None
