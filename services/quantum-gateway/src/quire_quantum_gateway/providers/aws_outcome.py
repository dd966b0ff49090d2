"""A batch that ran at Amazon Braket, as the executor port's outcome: counts in Qiskit's order, and what ran where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from quire_contracts.value import Execution
from quire_quantum.executor import MemberOutcome, Outcome
from quire_quantum_gateway.providers.aws_device import Device, price
from quire_quantum_gateway.providers.aws_results import ExecutableFailed, Measured, failure_of, shots_of
from quire_quantum_gateway.providers.error_table import meanings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quire_contracts.value import Fault
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
    """The outcome of a finished job. A member of which an executable did not run has a fault instead of counts.

    Raises:
        ExecutableFailed: no member ran.
        ValueError: what was measured is not what was asked for.
    """
    from quire_quantum_gateway.providers.braket_sets import packed  # noqa: PLC0415 - imports the SDK

    programs, shots = ran.planned.programs, work.shots or 0
    results = {
        place: measured
        for part, results in zip(ran.planned.parts, ran.measured, strict=True)
        for place, measured in zip(part, results, strict=True)
    }
    failed = {row: failure for (_, row), measured in results.items() if (failure := failure_of(measured)) is not None}
    members, row = [], 0
    for member in work.members:
        rows = range(row, row + len(member.parameters))
        row = rows.stop
        failure = next((failed[each] for each in rows if each in failed), None)
        if failure is not None:
            members.append(MemberOutcome(fault=fault_of(failure)))
            continue
        shots_by_row = [
            [
                shots_of(results[program, each], programs[program].measured_qubits, shots)
                for program in range(len(programs))
            ]
            for each in rows
        ]
        members.append(packed(shots_by_row, programs, work))
    if failed and all(member.fault is not None for member in members):
        raise next(iter(failed.values()))
    return Outcome(tuple(members), _execution(ran, work, backend, region, task_usd))


def fault_of(failure: ExecutableFailed) -> Fault:
    """What is said of work that did not run although its task did."""
    return meanings()["execution-failed" if failure.retryable else "unsupported-circuit"].fault


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
