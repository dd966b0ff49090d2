"""Qiskit backends by name: an ideal simulator, and noisy stand-ins for hardware, all run by Aer in this process."""

from __future__ import annotations

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from quire_contracts.calibration import DeviceFigures
from quire_plane.aer_gates import IDEAL_BASIS
from quire_quantum.executor import Capabilities
from quire_quantum_gateway.providers.faults import NO_BACKEND, NOT_INSTALLED, error_of, fault_of
from quire_quantum_gateway.providers.qiskit_figures import figures_of
from quire_quantum_gateway.providers.qiskit_noise import Noise, Place, read_noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit.providers import BackendV2
    from qiskit.transpiler import StagedPassManager

    from quire_quantum_gateway.providers.qiskit_provider import MachineSettings

_GENERIC: Final = re.compile(r"generic_([1-9]\d?)")
_GENERIC_SEED: Final = 2_023
"""Of the invented calibration of a generic backend, so that it is the same machine everywhere."""

_NOISES_KEPT: Final = 64


@dataclass(frozen=True, eq=False)
class Machine:
    """A backend, opened: what it takes, how circuits are compiled for it, and what runs them.

    family: names what a compiled circuit needs of a backend (qubits, coupling, gates); equal for backends that can
        share compilations. calibration_id names the calibration that its noise is taken from, `none` where there is no
        noise; `calibration_now` reads the backend's present one, and a machine whose own is another is stale.
    figures_now: how good the backend is at present.
    `runner` takes one call at a time; `compiling` guards the pass manager, which keeps state while it runs.
    `noise_of` cuts the noise down to used gates and their qubits, and remembers the last ones.
    """

    name: str
    family: str
    capabilities: Capabilities
    calibration_id: str
    calibration_now: Callable[[], str]
    figures_now: Callable[[], DeviceFigures]
    version: str
    noise: Noise | None
    noise_of: Callable[[frozenset[Place], tuple[int, ...]], NoiseModel | None]
    runner: Any
    pass_manager: StagedPassManager
    compiling: Lock


def open_machine(name: str, settings: MachineSettings) -> Machine:
    """Open a backend by name: `aer`, `generic_<qubits>`, or `fake_<device>` as in qiskit_ibm_runtime.fake_provider.

    Takes seconds for a wide stand-in; keep what it gives.

    Raises:
        Permanent: kind `invalid` for an unknown name, `offline` when the package of the stand-ins is not installed.
    """
    if name == "aer":
        return _ideal(settings)
    generic = _GENERIC.fullmatch(name)
    if generic:
        qubits = int(generic[1])
        backend = GenericBackendV2(qubits, noise_info=True, seed=_GENERIC_SEED)
        return stand_in(backend, name, settings, lambda _: f"generic-seed-{_GENERIC_SEED}")
    return stand_in(open_fake(name), name, settings)


def stand_in(
    backend: BackendV2, name: str, settings: MachineSettings, calibration: Callable[[Any], str] | None = None
) -> Machine:
    """Any BackendV2, with its gates, its coupling and the noise of its calibration, run by Aer.

    calibration: names the backend's present calibration; by default the date of its properties.
    """
    read = calibration or _calibration
    noise = read_noise(NoiseModel.from_backend(backend))
    return _machine(
        name,
        settings,
        generate_preset_pass_manager(
            settings.optimization_level, backend=backend, seed_transpiler=settings.seed_transpiler
        ),
        family=family_of(backend),
        noise=noise,
        max_qubits=min(int(backend.num_qubits), settings.max_qubits),
        calibration_id=read(backend),
        calibration_now=lambda: read(backend),
        figures_now=lambda: figures_of(backend.target),
        version=str(getattr(backend, "backend_version", None) or "1"),
    )


def _ideal(settings: MachineSettings) -> Machine:
    return _machine(
        "aer",
        settings,
        generate_preset_pass_manager(
            settings.optimization_level, basis_gates=list(IDEAL_BASIS), seed_transpiler=settings.seed_transpiler
        ),
        family="ideal",
        noise=None,
        max_qubits=settings.max_qubits,
        calibration_id="none",
        calibration_now=lambda: "none",
        figures_now=DeviceFigures,
        version=str(AerSimulator().configuration().backend_version),
    )


def _machine(
    name: str,
    settings: MachineSettings,
    pass_manager: StagedPassManager,
    *,
    family: str,
    noise: Noise | None,
    max_qubits: int,
    calibration_id: str,
    calibration_now: Callable[[], str],
    figures_now: Callable[[], DeviceFigures],
    version: str,
) -> Machine:
    runner = AerSimulator(
        # Aer runs every job of a process on one thread unless it is given one: a slow one would hold up the others.
        executor=ThreadPoolExecutor(1, thread_name_prefix=f"aer-{name}"),
        max_parallel_threads=settings.threads,
        max_parallel_experiments=settings.threads,
        # Shots on several threads would draw from as many random streams: counts would depend on the machine.
        max_parallel_shots=1,
        runtime_parameter_bind_enable=True,
    )
    return Machine(
        name=name,
        family=family,
        capabilities=Capabilities(
            target=f"qiskit:{name}",
            max_qubits=max_qubits,
            exact=noise is None,
            noisy=noise is not None,
            folds=True,
            places=True,
        ),
        calibration_id=calibration_id,
        calibration_now=calibration_now,
        figures_now=figures_now,
        version=version,
        noise=noise,
        noise_of=lru_cache(_NOISES_KEPT)(noise.cut_down if noise is not None else lambda _used, _qubits: None),
        runner=runner,
        pass_manager=pass_manager,
        compiling=Lock(),
    )


def family_of(backend: BackendV2) -> str:
    """Equal for backends that the same compiled circuits run on."""
    coupling = backend.target.build_coupling_map()
    edges = sorted(map(list, coupling.get_edges())) if coupling is not None else []
    described = json.dumps([int(backend.num_qubits), edges, sorted(backend.target.operation_names)])
    return f"{backend.num_qubits}-qubits-{hashlib.sha256(described.encode()).hexdigest()[:16]}"


def open_fake(name: str) -> BackendV2:
    """A stand-in of qiskit-ibm-runtime by name, as in `fake_manila`; raises as `open_machine` does."""
    try:
        from qiskit_ibm_runtime import fake_provider  # noqa: PLC0415 - 3 s, and only stand-ins need it
    except ModuleNotFoundError as error:
        raise error_of(fault_of(NOT_INSTALLED)) from error
    wanted = name.replace("_", "")
    for attribute in dir(fake_provider):
        if attribute.lower() in (wanted, f"{wanted}v2") and attribute != "FakeProviderForBackendV2":
            return getattr(fake_provider, attribute)()
    raise error_of(fault_of(NO_BACKEND))


def _calibration(backend: Any) -> str:
    """The date of the properties that the noise is made of."""
    return str(backend.properties().last_update_date.isoformat())
