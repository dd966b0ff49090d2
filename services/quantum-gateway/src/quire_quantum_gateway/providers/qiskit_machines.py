"""Qiskit backends by name: an ideal simulator, and noisy stand-ins for hardware, all run by Aer in this process."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator

from quire_plane.aer_gates import IDEAL_BASIS
from quire_quantum.executor import Capabilities
from quire_quantum_gateway.providers.faults import NO_BACKEND, NOT_INSTALLED, error_of, fault_of

if TYPE_CHECKING:
    from qiskit.providers import BackendV2
    from qiskit.transpiler import StagedPassManager

    from quire_quantum_gateway.providers.qiskit_provider import MachineSettings

_GENERIC: Final = re.compile(r"generic_([1-9]\d?)")
_GENERIC_SEED: Final = 2_023
"""Of the invented calibration of a generic backend, so that it is the same machine everywhere."""


@dataclass(frozen=True, eq=False)
class Machine:
    """A backend, opened: what it takes, how circuits are compiled for it, and what runs them.

    `calibration_id` names the calibration that its noise is taken from, `none` where there is no noise. `runner` takes
    one call at a time; `compiling` guards the pass manager, which keeps state while it runs.
    """

    name: str
    capabilities: Capabilities
    calibration_id: str
    version: str
    noise: bool
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
        return stand_in(backend, name, f"generic-seed-{_GENERIC_SEED}", settings)
    fake = _fake(name)
    return stand_in(fake, name, _calibration(fake), settings)


def stand_in(backend: BackendV2, name: str, calibration_id: str, settings: MachineSettings) -> Machine:
    """Any BackendV2, with its gates, its coupling and the noise of its calibration, run by Aer."""
    runner = AerSimulator.from_backend(backend)
    return _machine(
        name,
        runner,
        generate_preset_pass_manager(
            settings.optimization_level, backend=backend, seed_transpiler=settings.seed_transpiler
        ),
        settings,
        max_qubits=min(int(backend.num_qubits), settings.max_qubits),
        calibration_id=calibration_id,
        version=str(getattr(backend, "backend_version", None) or "1"),
    )


def _ideal(settings: MachineSettings) -> Machine:
    pass_manager = generate_preset_pass_manager(
        settings.optimization_level, basis_gates=list(IDEAL_BASIS), seed_transpiler=settings.seed_transpiler
    )
    runner = AerSimulator()
    return _machine(
        "aer",
        runner,
        pass_manager,
        settings,
        max_qubits=settings.max_qubits,
        calibration_id="none",
        version=str(runner.configuration().backend_version),
    )


def _machine(
    name: str,
    runner: Any,
    pass_manager: StagedPassManager,
    settings: MachineSettings,
    *,
    max_qubits: int,
    calibration_id: str,
    version: str,
) -> Machine:
    noise = calibration_id != "none"
    # Aer runs every job of a process on one thread unless it is given one: a slow stand-in would hold up the others.
    own_thread = ThreadPoolExecutor(1, thread_name_prefix=f"aer-{name}")
    runner.set_options(
        executor=own_thread,
        max_parallel_threads=settings.threads,
        max_parallel_experiments=settings.threads,
        # Shots on several threads would draw from as many random streams: counts would depend on the machine.
        max_parallel_shots=1,
        runtime_parameter_bind_enable=True,
    )
    capabilities = Capabilities(target=f"qiskit:{name}", max_qubits=max_qubits, exact=not noise)
    return Machine(name, capabilities, calibration_id, version, noise, runner, pass_manager, Lock())


def _fake(name: str) -> BackendV2:
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
