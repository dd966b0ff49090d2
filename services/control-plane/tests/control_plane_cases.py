"""A control plane without a house: records, answers and moments made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from quire_contracts.intake import encode_document
from quire_contracts.job import SubmitJob
from quire_contracts.preparation import Baseline, Estimate, JobPrepared, Loop, Preparation, Spectrum
from quire_contracts.result import Best, Quality, SampleResult
from quire_contracts.task import RunTask, Task, TaskFailed, TaskQuality, TaskScored
from quire_contracts.value import Execution, Fault, FaultKind, inline_blob
from quire_control_plane.change import Change, Moment
from quire_control_plane.submission.admission import Origin, admit, read
from quire_control_plane.tasks import matrix
from quire_policy import Facts, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.record import JobRecord

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def routing(facts: Facts) -> Route:
    """Everything goes to Aer, then to the simulator."""
    return Route(targets=("qiskit:aer", "simulation"), rules=(f"{facts.phase}-rule",), reasons=("first choice",))


def at(seconds: float = 0.0, cause: str = "cause", *, down: Sequence[str] = ()) -> Moment:
    """A moment some seconds after noon, when these targets take no work."""
    why = dict.fromkeys(down, "in maintenance")
    return Moment(NOON + timedelta(seconds=seconds), cause, routing, down=lambda target, _: why.get(target))


def submit(body: bytes, *, key: str = "job-1", tenant: str = "acme") -> SubmitJob:
    """A submission as it comes off the bus."""
    return SubmitJob(job_id=key, tenant=tenant, body=body)


def admitted(body: bytes, *, key: str = "job-1", record: JobRecord | None = None) -> Change:
    """The change that a submission brings."""
    submission = read(submit(body, key=key), body)
    document = inline_blob(encode_document(submission.document), "application/json")
    return admit(record, submission, Origin(document, TRACEPARENT, random_seed=7), at())


def prepared(
    record: JobRecord, *, start_points: int = 3, exact: bool = True, spectra: tuple[Spectrum, ...] = ()
) -> JobPrepared:
    """What preprocessing says of a job: two angles, two qubits."""
    loop = record.kind == "optimize"
    points = matrix([(0.1 * row, 0.2 * row) for row in range(start_points)])
    return JobPrepared(
        job_id=record.job_id,
        tenant=record.tenant,
        preparation=Preparation(
            structure=inline_blob(b"OPENQASM 3.0;", "text/plain"),
            qubits=2,
            parameters=None if loop else matrix([(0.1,), (0.2,)]),
            observables=inline_blob(b"[]", "application/json") if loop else None,
            shots=100,
            input_sha256=record.content_sha256,
            estimate=Estimate(qubits=2, depth=3, two_qubit_gates=1, parameter_sets=2, shots=100),
            loop=Loop(start_points=points, scale=-1, spectra=spectra) if loop else None,
            baseline=Baseline(method="exact", value=3.0, assignment=(0, 1), exact=exact, worst=0.0) if loop else None,
        ),
        baseline_seconds=0.01,
    )


def answer(task: Task, energies: list[float] | None = None, *, best: float | None = None) -> TaskScored:
    """A task's answer with one energy for each parameter set."""
    loop = task.phase != "main"
    return TaskScored(
        job_id=task.job_id,
        tenant=task.tenant,
        task_id=task.task_id,
        phase=task.phase,
        round=task.round,
        attempt=task.attempt,
        values=matrix([(energy,) for energy in energies]) if energies is not None else None,
        std_errors=matrix([(0.01,) for _ in energies]) if energies is not None else None,
        best=Best(value=best, assignment=(0, 1)) if best is not None else None,
        quality=TaskQuality(shots=task.parameters.rows * (task.shots or 0), figures=Quality(gap=0.0) if loop else None),
        executions=(execution(task),),
        result=None if loop else SampleResult(counts=({"00": 100}, {"11": 100})),
    )


def fault(kind: FaultKind = "offline", *, code: str = "unsupported-test", retryable: bool = True) -> Fault:
    """What a target answered."""
    return Fault(kind=kind, code=code, reason="the device sleeps", next_step="wait", retryable=retryable)


def failed(task: Task, what: Fault, *, after_seconds: float = 0.0, together: int = 1) -> TaskFailed:
    """A task without an answer."""
    return TaskFailed(
        job_id=task.job_id,
        tenant=task.tenant,
        task_id=task.task_id,
        attempt=task.attempt,
        target=task.target,
        fault=what,
        after_seconds=after_seconds,
        together=together,
    )


def execution(task: Task) -> Execution:
    """Where a task ran."""
    return Execution(
        target=task.target,
        provider="qiskit",
        backend="aer",
        region="local",
        calibration_id="none",
        circuit_sha256=task.structure.sha256,
        shots=task.shots,
        parameter_sets=task.parameters.rows,
        started_at=NOON + timedelta(seconds=1),
        queue_seconds=0.0,
        compile_seconds=0.0,
        execute_seconds=0.5,
    )


def run_task(change: Change) -> Task:
    """The one task that a change sends."""
    (task,) = (say.message.task for say in change.says if isinstance(say.message, RunTask))
    return task
