"""What preprocessing can be told from outside."""

from __future__ import annotations

from quire_service import Field, ServiceSettings


class Settings(ServiceSettings):
    """Settings of `QUIRE_PREPROCESSING_*`."""

    workers: int = Field(default=32, ge=1, le=64, description="Jobs that are prepared at a time.")
    ahead: int = Field(
        default=1_024, ge=0, le=4_096, description="Jobs that wait here for that, so that tenants take turns."
    )
    threads: int = Field(default=4, ge=1, le=64, description="Of them, those whose work is not small at a time.")
    cache_mib: int = Field(default=64, ge=1, le=4_096, description="Memory for programs that were seen, in MiB.")
    parsers: int = Field(
        default=2,
        ge=1,
        le=16,
        description="Child processes that parse programs, up to 1.5 GB each; all but one are started when needed.",
    )
    max_variables: int = Field(
        default=24, ge=1, le=200, description="Widest optimisation problem: a simulator must hold its state vector."
    )
    exact_variables: int = Field(
        default=24, ge=0, le=30, description="Up to here the baseline tries every assignment: 0.1 s at 24, 6 s at 30."
    )
    baseline_seconds: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="Seconds of one core that the work of each classical method is measured out for.",
    )
    baseline_threads: int = Field(
        default=2, ge=1, le=64, description="Baselines that are worked out at a time, beside the preparations."
    )
    exact_qubits: int = Field(
        default=16, ge=0, le=20, description="Up to here a Hamiltonian is diagonalised, if it has few enough elements."
    )
    screened_qubits: int = Field(
        default=24,
        ge=1,
        le=200,
        description="Widest loop that is pre-screened: QUIRE_GPU_SIMULATION_MAX_QUBITS or less.",
    )
    max_angles: int = Field(
        default=8_000_000, ge=1, le=32_000_000, description="Angles of a job, parameter sets times parameters: 64 MB."
    )
    max_sampled_terms: int = Field(
        default=4_000, ge=1, le=100_000, description="Pauli labels of a job with shots: grouping is quadratic, 2 s."
    )
    max_total_shots: int = Field(default=1_000_000_000, ge=1, description="Shots of a job over all of its circuits.")
