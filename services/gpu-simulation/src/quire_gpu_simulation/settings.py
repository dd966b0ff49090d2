"""What the simulation plane can be told: how much of the machine it may take."""

from __future__ import annotations

from quire_service import Field, ServiceSettings


class Settings(ServiceSettings):
    """The settings of the simulation plane, from QUIRE_GPU_SIMULATION_*."""

    workers: int = Field(default=8, ge=1, le=64, description="Batches in hand at once, waiting ones included.")
    threads: int = Field(
        # Measured: 2 cores make a 15-qubit row a third quicker on an idle machine (nothing up to 12 qubits), and
        # eight times slower beside busy neighbours, for whom OpenMP's threads wait spinning.
        default=1,
        ge=0,
        le=1024,
        description="Threads of a simulation; 0 is one for each core, on a machine that is its own.",
    )
    max_qubits: int = Field(default=24, ge=1, le=40, description="The widest circuit that is simulated.")
    memory_mib: int = Field(default=1024, ge=16, description="Memory for states and probabilities.")
    compiled_circuits: int = Field(default=256, ge=1, le=100_000, description="Compilations kept.")
