"""What the simulation plane can be told: how much of the machine it may take, and how its answers are made."""

from __future__ import annotations

from typing import Literal

from quire_service import Field, ServiceSettings

Precision = Literal["double", "single"]


class Settings(ServiceSettings):
    """The settings of the simulation plane, from QUIRE_GPU_SIMULATION_*."""

    workers: int = Field(default=8, ge=1, le=64, description="Batches in hand at once, waiting ones included.")
    lanes: int = Field(
        default=2, ge=1, le=64, description="Batches that run at once; a wide one holds up no small one."
    )
    executor: Literal["auto", "aer"] = Field(
        default="auto", description="auto: the batched engine, and Aer for what it cannot take. aer: Aer alone."
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="Of the engine. auto: a GPU where CuPy and one are there, else the CPU."
    )
    precision: Precision = Field(
        default="double", description="Of the engine's amplitudes; single halves memory and is good to about 1e-5."
    )
    engine_threads: int = Field(default=0, ge=0, le=1024, description="Of the engine; 0 is one for each core.")
    threads: int = Field(
        # They share rows, never a row: OpenMP's threads wait spinning, and meet once a call instead of once a gate.
        default=0,
        ge=0,
        le=1024,
        description="Threads of a simulation on Aer; 0 is one for each core.",
    )
    max_qubits: int = Field(default=24, ge=1, le=40, description="The widest state vector.")
    max_wide_qubits: int = Field(
        default=200, ge=1, le=200, description="The widest stabilizer or matrix product state simulation."
    )
    mps_bond: int = Field(default=64, ge=1, le=4096, description="The largest bond of a matrix product state.")
    mps_truncates: bool = Field(
        default=False, description="Whether circuits that may need a larger bond run with their smallest parts cut off."
    )
    memory_mib: int = Field(
        default=1024, ge=16, description="Memory for states and probabilities of all batches that run at once."
    )
    compiled_circuits: int = Field(default=256, ge=1, le=100_000, description="Compilations kept.")
    cross_check_share: float = Field(
        default=0.01, ge=0, le=1, description="Share of the engine's batches that are checked against Aer."
    )
    results_mib: int = Field(default=64, ge=1, description="Repeatable answers kept in memory.")
    results_seconds: float = Field(default=3600.0, gt=0, description="Age at which an answer in memory is forgotten.")
    fleet_results_from_seconds: float = Field(
        default=1.0,
        ge=0,
        description="Answers that took at least so long are kept for all simulation planes, and looked up by them.",
    )
    noise_file: str | None = Field(
        default=None, description="TOML file with noise models, each a target simulation:NAME; see noise/built_in.toml."
    )
