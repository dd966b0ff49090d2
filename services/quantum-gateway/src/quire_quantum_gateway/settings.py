"""What the gateway can be told: which targets it serves, and how much of the machine it may take."""

from __future__ import annotations

from typing import Annotated, Literal

from quire_quantum_gateway.drift import DriftRule
from quire_quantum_gateway.guard_settings import GuardSettings
from quire_quantum_gateway.protocol_settings import ProtocolSettings
from quire_service import Field

Pattern = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}:[A-Za-z0-9_.*?-]{1,64}$")]


class Settings(GuardSettings, ProtocolSettings):
    """The settings of the quantum gateway, from QUIRE_QUANTUM_GATEWAY_*."""

    targets: tuple[Pattern, ...] = Field(
        default=(
            "qiskit:aer",
            "qiskit:fake_*",
            "qiskit:generic_*",
            "braket:local",
            "braket:local_dm",
            "aws:*",
            "ibm:*",
        ),
        min_length=1,
        description="The targets that are served; * and ? stand for any characters of a backend's name. Remote devices "
        "must be named in their provider's settings as well.",
    )
    warm_targets: tuple[Pattern, ...] = Field(
        # Braket's SDK weighs 70 MB and takes 2 s to import; a house that never uses it should not carry it.
        default=("qiskit:aer",),
        description="Local simulators that run one shot at start, so that no batch waits for their imports.",
    )
    workers: int = Field(default=256, ge=1, le=1024, description="Batches in hand at once, waiting ones included.")
    threads_per_target: int = Field(default=1, ge=1, le=64, description="Batches of one target that run at once.")
    threads: int = Field(
        # Measured: 2 cores make a 15-qubit row a third quicker on an idle machine (nothing up to 12 qubits), and
        # eight times slower beside busy neighbours, for whom OpenMP's threads wait spinning.
        default=1,
        ge=0,
        le=1024,
        description="Threads of one simulation; 0 is one for each core, on a machine that is its own.",
    )
    max_qubits: int = Field(default=24, ge=1, le=40, description="The widest circuit that is simulated.")
    max_noisy_qubits: int = Field(
        default=12, ge=1, le=30, description="The widest circuit that is simulated with noise, counted after routing."
    )
    optimization_level: int = Field(default=1, ge=0, le=3, description="Qiskit's, of the compiler.")
    seed_transpiler: int = Field(default=7, ge=0, lt=2**31, description="Qiskit's, so that layouts repeat.")
    memory_mib: int = Field(default=1024, ge=16, description="Memory for the probabilities of one simulation.")
    compiled_circuits: int = Field(default=256, ge=1, le=100_000, description="Compilations kept for each provider.")
    compiled_gates: int = Field(default=2_000_000, ge=1_000, description="Gates of all compilations kept, together.")
    compiled_seconds: float = Field(default=24 * 3600.0, gt=0, description="Age at which a compilation is made anew.")
    calibration_seconds: float = Field(
        default=300.0, gt=0, description="How often the calibrations of open backends are read again."
    )
    drift_two_qubit_error: float = Field(
        default=0.5, ge=0, description="A device has drifted when its median grows by this share between calibrations."
    )
    drift_readout_error: float = Field(default=0.5, ge=0, description="Likewise.")
    drift_t1: float = Field(default=0.5, ge=0, le=1, description="Likewise, when its median shrinks by this share.")
    drift_action: Literal["recompile", "reroute"] = Field(
        default="recompile",
        description="What follows: jobs in the device's queue are taken back and compiled anew; with `reroute` new "
        "work goes elsewhere too.",
    )
    drift_hold_seconds: float = Field(
        default=3600.0, gt=0, description="After that a device that drifted counts as what it is."
    )
    program_sets: tuple[Pattern, ...] = Field(
        default=(),
        description="Braket targets whose work goes out as program sets: those whose service is paid for by the task. "
        "Their answers cannot be seeded. Locally sets are slower.",
    )
    program_set_executables: int = Field(default=100, ge=1, le=10_000, description="Executables in a program set.")
    results_mib: int = Field(default=64, ge=1, description="Repeatable answers kept in memory.")
    results_seconds: float = Field(default=3600.0, gt=0, description="Age at which an answer in memory is forgotten.")
    fleet_results_from_seconds: float = Field(
        default=0.25,
        ge=0,
        description="Answers that took at least so long are kept for all gateways, and looked up by them.",
    )

    @property
    def drift_rule(self) -> DriftRule:
        """When a device has drifted, and what follows."""
        return DriftRule(
            two_qubit_error=self.drift_two_qubit_error,
            readout_error=self.drift_readout_error,
            t1=self.drift_t1,
            action=self.drift_action,
            hold_seconds=self.drift_hold_seconds,
            compiled_seconds=self.compiled_seconds,
        )
