"""The plane's targets and their executors: `simulation`, and `simulation:NAME` for each noise model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quire_gpu_simulation.aer_executor import TARGET, AerExecutor
from quire_gpu_simulation.budget import MemoryBudget
from quire_gpu_simulation.executor import SimulationExecutor
from quire_gpu_simulation.limits import Limits
from quire_gpu_simulation.noise.executor import NoisyExecutor
from quire_gpu_simulation.noise.model import built_in, read_models
from quire_resilience.errors import Permanent
from quire_service.cores import cores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Meter

    from quire_gpu_simulation.executor import Engine
    from quire_gpu_simulation.noise.model import NoiseModel
    from quire_gpu_simulation.settings import Settings
    from quire_quantum.executor import Executor
    from quire_resilience.clock import Clock

_REFERENCE = "reference"


def limits_of(settings: Settings) -> Limits:
    """The settings' limits."""
    return Limits(
        max_qubits=settings.max_qubits,
        max_wide_qubits=settings.max_wide_qubits,
        memory_mib=settings.memory_mib,
        threads=settings.threads or cores(),
        compiled_circuits=settings.compiled_circuits,
        mps_bond=settings.mps_bond,
        mps_truncates=settings.mps_truncates,
    )


def rows_at_once(settings: Settings) -> int:
    """How many rows the engine has at work on processors: one for each thread."""
    return settings.engine_threads or cores()


def open_engine(settings: Settings, clock: Clock) -> Engine:
    """The batched engine, on a GPU where one is there and the settings do not forbid it.

    Raises:
        RuntimeError: the settings ask for a GPU, and there is none that CuPy can use.
    """
    # Numba and its compiled functions take a second that a start need not wait for.
    from quire_gpu_simulation.engine.cpu import CpuBackend  # noqa: PLC0415
    from quire_gpu_simulation.engine.executor import EngineExecutor  # noqa: PLC0415
    from quire_gpu_simulation.engine.gpu import GpuBackend  # noqa: PLC0415
    from quire_gpu_simulation.engine.gpu_device import CupyDevice, find_device  # noqa: PLC0415
    from quire_gpu_simulation.engine.team import Team  # noqa: PLC0415

    limits = limits_of(settings)
    precision = np.float64 if settings.precision == "double" else np.float32
    device = {"cpu": lambda: None, "gpu": CupyDevice, "auto": find_device}[settings.device]()
    backend: GpuBackend | CpuBackend
    if device is not None:
        backend = GpuBackend(device, np.dtype(precision).name)
    else:
        backend = CpuBackend(Team(rows_at_once(settings), limits.memory_bytes), precision)
    return EngineExecutor(backend, clock, max_qubits=settings.max_qubits, compiled_circuits=settings.compiled_circuits)


def noise_models(settings: Settings) -> dict[str, NoiseModel]:
    """The built-in models and those of the settings' file, which may replace a built-in one.

    Raises:
        NoiseModelError: the file holds something else.
        OSError: it cannot be read.
    """
    own = read_models(Path(settings.noise_file).read_text("utf-8")) if settings.noise_file else {}
    return built_in() | own


@dataclass(frozen=True)
class Simulators:
    """The executors by target, the ideal one among them, and what each one's answers depend on besides the work.

    reference: what the ideal one's answers are checked against; None where none are.
    """

    ideal: SimulationExecutor
    executors: Mapping[str, Executor]
    identities: Mapping[str, str]
    reference: Executor | None = None

    @property
    def warmable(self) -> Mapping[str, Executor]:
        """What to warm, by the lane to do it on."""
        # The reference too: else the first batch that is checked waits a second for its import, and all beside it.
        return {TARGET: self.ideal, **({} if self.reference is None else {_REFERENCE: self.reference})}

    def identity_of(self, target: str) -> str | None:
        """What a target's answers depend on besides the work; another once the engine was found wrong."""
        identity = self.identities.get(target)
        if identity is None or target != TARGET or not self.ideal.kept_off:
            return identity
        return f"{identity}|not by the engine: {' '.join(self.ideal.kept_off)}"

    def executor_of(self, target: str) -> Executor:
        """The executor of a target.

        Raises:
            Permanent: kind `invalid`, code `unsupported-target`: there is none of this name.
        """
        found = self.executors.get(target)
        if found is None:
            raise Permanent(
                "unsupported-target",
                f"there is no noise model for the target {target}",
                next_step=f"Choose one of {', '.join(sorted(self.executors))}.",
            )
        return found


def open_simulators(settings: Settings, clock: Clock, meter: Meter | None = None) -> Simulators:
    """Executors of all targets, which share one memory budget; the caller closes the ideal one."""
    limits = limits_of(settings)
    budget = MemoryBudget(limits.memory_bytes)
    with_engine, aer = settings.executor == "auto", AerExecutor(limits, clock)
    ideal = SimulationExecutor(
        partial(open_engine, settings, clock) if with_engine else None,
        aer,
        limits,
        budget,
        rows_at_once=rows_at_once(settings),
        share=settings.cross_check_share,
        meter=meter,
    )
    executors: dict[str, Executor] = {TARGET: ideal}
    software = "|".join(f"{name} {version(name)}" for name in ("quire-gpu-simulation", "qiskit-aer", "qiskit", "numpy"))
    chosen = f"{settings.executor} {settings.device} {settings.precision} {limits.powers(engine=True)}"
    identities = {TARGET: f"{TARGET}|{chosen}|{software}"}
    for name, model in noise_models(settings).items():
        target = f"{TARGET}:{name}"
        executors[target] = NoisyExecutor(target, model, budget, clock)
        identities[target] = f"{target}|{model}|{software}"
    checked = with_engine and settings.cross_check_share > 0
    return Simulators(ideal, executors, identities, aer if checked else None)
