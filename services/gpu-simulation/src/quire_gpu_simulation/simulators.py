"""The plane's targets and their executors: `simulation`, and `simulation:NAME` for each noise model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from quire_gpu_simulation.aer_executor import TARGET, AerExecutor
from quire_gpu_simulation.budget import MemoryBudget
from quire_gpu_simulation.executor import SimulationExecutor
from quire_gpu_simulation.limits import Limits
from quire_gpu_simulation.noise.executor import NoisyExecutor
from quire_gpu_simulation.noise.model import built_in, read_models
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Meter

    from quire_gpu_simulation.executor import Engine
    from quire_gpu_simulation.noise.model import NoiseModel
    from quire_gpu_simulation.settings import Settings
    from quire_quantum.executor import Executor
    from quire_resilience.clock import Clock


def limits_of(settings: Settings) -> Limits:
    """The settings' limits."""
    return Limits(
        max_qubits=settings.max_qubits,
        max_wide_qubits=settings.max_wide_qubits,
        memory_mib=settings.memory_mib,
        threads=settings.threads,
        compiled_circuits=settings.compiled_circuits,
        mps_bond=settings.mps_bond,
        mps_truncates=settings.mps_truncates,
    )


def noise_models(settings: Settings) -> dict[str, NoiseModel]:
    """The built-in models and those of the settings' file, which may replace a built-in one.

    Raises:
        NoiseModelError: the file holds something else.
        OSError: it cannot be read.
    """
    own = read_models(Path(settings.noise_file).read_text("utf-8")) if settings.noise_file else {}
    return built_in() | own


def open_simulators(
    settings: Settings, clock: Clock, meter: Meter | None = None, engine: Engine | None = None
) -> tuple[SimulationExecutor, dict[str, Executor]]:
    """The ideal simulator, which the caller closes, and the executors of all targets; one memory budget for all.

    engine: the batched engine; None leaves everything to Aer.
    """
    limits = limits_of(settings)
    budget = MemoryBudget(limits.memory_bytes)
    ideal = SimulationExecutor(
        engine,
        AerExecutor(limits, clock),
        limits,
        budget,
        share=settings.cross_check_share,
        meter=meter,
    )
    executors: dict[str, Executor] = {TARGET: ideal}
    for name, model in noise_models(settings).items():
        target = f"{TARGET}:{name}"
        executors[target] = NoisyExecutor(target, model, budget, clock)
    return ideal, executors


def executor_of(target: str, executors: Mapping[str, Executor]) -> Executor:
    """The executor of a target.

    Raises:
        Permanent: kind `invalid`, code `unsupported-target`: there is none of this name.
    """
    found = executors.get(target)
    if found is None:
        raise Permanent(
            "unsupported-target",
            f"there is no noise model for the target {target}",
            next_step=f"Choose one of {', '.join(sorted(executors))}.",
        )
    return found
