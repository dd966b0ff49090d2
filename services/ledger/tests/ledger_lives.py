"""Lives of jobs, as the events that the house says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from quire_contracts.batch import BatchStarted, Member
from quire_contracts.control import LoopAdvanced
from quire_contracts.evidence import EvidenceKept
from quire_contracts.job import JobAccepted, JobCancelled, JobCompleted, JobFailed, JobRejected, SubmissionRefused
from quire_contracts.preparation import Baseline, Estimate, JobPrepared, Preparation
from quire_contracts.registry import entry_of
from quire_contracts.result import Best, OptimizeResult, Quality, Round
from quire_contracts.task import TaskFailed, TaskQuality, TaskScored
from quire_contracts.value import BlobRef, Execution, Fault
from quire_contracts.verdict import Verdict
from quire_ledger.event import Event

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SHA = "ab" * 32
REF = BlobRef(sha256=SHA, size=3, media_type="text/plain", inline=b"abc")
FAULT = Fault(kind="offline", code="device-offline", reason="the device is away", next_step="wait", retryable=True)


def execution(task: str = "main", *, cost: float = 0.25) -> Execution:
    return Execution(
        target="qiskit:aer",
        provider="qiskit",
        backend="aer",
        region="local",
        calibration_id="none",
        circuit_sha256=SHA,
        shots=1000,
        parameter_sets=2,
        started_at=START,
        queue_seconds=0.01,
        compile_seconds=0.02,
        execute_seconds=0.03,
        cost_usd=cost,
        task_id=task,
        transpiler={"level": 1},
    )


def accepted(job: str, *, tenant: str = "acme", minute: int = 0, **changes) -> JobAccepted:
    values = {
        "job_id": job,
        "tenant": tenant,
        "kind": "optimize",
        "name": "florence",
        "project": "default",
        "priority": "research",
        "content_sha256": SHA,
        "accepted_at": START + timedelta(minutes=minute),
        "targets": ("qiskit:aer", "simulation"),
        "tags": {"b": "2", "a": "1"},
    }
    return JobAccepted(**{**values, **changes})


def prepared(job: str, tenant: str = "acme") -> JobPrepared:
    estimate = Estimate(qubits=3, depth=4, two_qubit_gates=2, parameter_sets=1, shots=100)
    preparation = Preparation(
        structure=REF,
        qubits=3,
        parameters=None,
        observables=None,
        shots=100,
        input_sha256=SHA,
        estimate=estimate,
        baseline=Baseline("exact", 7.0, (0, 1, 1), exact=True, worst=0.0, bound=7.0, bound_method="exact", gap=0.0),
    )
    return JobPrepared(job_id=job, tenant=tenant, preparation=preparation, baseline_seconds=0.5)


def started(*jobs: str, tenant: str = "acme") -> BatchStarted:
    members = tuple(Member(task_id=f"{job}-main", job_id=job, tenant=tenant) for job in jobs)
    return BatchStarted(batch_id="batch-1", target="qiskit:aer", started_at=START, members=members)


def scored(job: str, *, task: str = "main", phase: str = "main", shots: int = 2000, tenant: str = "acme") -> TaskScored:
    return TaskScored(
        job_id=job,
        tenant=tenant,
        task_id=task,
        phase=phase,
        round=0,
        attempt=1,
        values=None,
        std_errors=None,
        best=None,
        quality=TaskQuality(shots=shots),
        executions=(execution(task),),
    )


def failed_task(job: str, task: str = "round-2", tenant: str = "acme") -> TaskFailed:
    return TaskFailed(job_id=job, tenant=tenant, task_id=task, attempt=1, target="braket:local", fault=FAULT)


def advanced(job: str, round_: int, tenant: str = "acme") -> LoopAdvanced:
    step = Round(round=round_, objective=5.0 + round_, best=6.0 + round_, std_error=0.1, target="simulation")
    return LoopAdvanced(job_id=job, tenant=tenant, rounds=20, round=step)


def completed(job: str, tenant: str = "acme", **changes) -> JobCompleted:
    result = OptimizeResult(
        best=Best(value=7.0, assignment=(0, 1, 1)),
        history=(),
        baseline=None,
        quality=Quality(approximation_ratio=1.0, gap=0.0, optimal=True, success_probability=0.5, mean_objective=6.1),
        verdict=Verdict(call="tie", reason="both found the proven optimum", certainty=1.0, value=7.0, classical=7.0),
    )
    values = {"kind": "optimize", "result": result, "shots": 4000, "cost_usd": 0.5}
    return JobCompleted(job_id=job, tenant=tenant, **{**values, **changes})


def failed(job: str, tenant: str = "acme") -> JobFailed:
    return JobFailed(job_id=job, tenant=tenant, kind="sample", fault=FAULT)


def cancelled(job: str, tenant: str = "acme") -> JobCancelled:
    return JobCancelled(job_id=job, tenant=tenant, kind="sample", reason="no longer needed")


def rejected(job: str, tenant: str = "acme") -> JobRejected:
    return JobRejected(job_id=job, tenant=tenant, code="invalid-document", reason="no kind", next_step="add it")


def refused(job: str, tenant: str = "acme") -> SubmissionRefused:
    return SubmissionRefused(
        submission="other", tenant=tenant, job_id=job, code="key-reused", reason="other content", next_step="new key"
    )


def late(job: str, task: str = "round-3", *, value: float = 8.0, tenant: str = "acme") -> EvidenceKept:
    """The answer of a task that was out when its job ended, eight seconds too late."""
    return EvidenceKept(
        job_id=job,
        tenant=tenant,
        task_id=task,
        attempt=1,
        phase="round",
        round=3,
        target="aws:garnet",
        ended_at=START,
        arrived_at=START + timedelta(seconds=8),
        best=Best(value=value, assignment=(1, 1, 0)),
        figures=Quality(approximation_ratio=1.1, gap=0.2),
        better=value > 7.0,
        compared=f"{value:g} against 7",
        shots=300,
        cost_usd=0.4,
        executions=(execution(task),),
    )


def life(job: str, tenant: str = "acme") -> list:
    """A whole optimisation, from acceptance to its answer."""
    return [
        accepted(job, tenant=tenant),
        prepared(job, tenant),
        started(job, tenant=tenant),
        scored(job, task="sweep", phase="sweep", tenant=tenant),
        failed_task(job, tenant=tenant),
        advanced(job, 1, tenant),
        advanced(job, 2, tenant),
        scored(job, task="final", phase="final", tenant=tenant),
        completed(job, tenant),
        late(job, tenant=tenant),
    ]


def logged(messages, *, first: int = 1) -> list[Event]:
    """The messages as events that stand one after the other on the log, two sequences apart."""
    return [event(message, first + 2 * place) for place, message in enumerate(messages)]


def event(message, sequence: int, *, key: str | None = None) -> Event:
    entry = entry_of(message)
    return Event(
        sequence=sequence,
        id=f"id-{sequence}",
        type=entry.type,
        tenant=entry.tenant_of(message),
        key=key or entry.key_of(message),
        correlation_id=entry.key_of(message),
        causation_id=None,
        source="/quire/test",
        time=START + timedelta(seconds=sequence),
        data=msgspec.json.encode(message).decode(),
        message=message,
    )
