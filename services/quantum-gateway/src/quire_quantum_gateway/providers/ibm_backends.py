"""Backends of IBM's kind: how they are set, compiled for, and what came of a job, in the executor port's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from quire_contracts.value import Execution
from quire_plane.compile_cache import CompileKey
from quire_quantum.executor import MemberOutcome, Outcome
from quire_quantum_gateway.drift import Snapshot
from quire_quantum_gateway.providers.qiskit_figures import figures_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from quire_contracts.calibration import DeviceFigures
    from quire_plane.compile_cache import CompileCache
    from quire_quantum.executor import Work
    from quire_quantum_gateway.providers.ibm_account import Described, Job, Tallies
    from quire_quantum_gateway.providers.qiskit_compiled import Compiled
    from quire_quantum_gateway.sites import Site


@dataclass(frozen=True, slots=True)
class IbmSettings:
    """Which backends there are, and how they are reached.

    backends: names, as in `ibm:<name>`.
    identity: `tag`; `none` where the cloud keeps no tags; `forgetful` for the library's local mode.
    account, region: for the operator's eyes: breakers are told apart by them.
    prefix: names this installation in tags; those that share an account need different ones.
    seconds: the longest that a call may take. calls: how many may be under way at once.
    longest: seconds of a job, after which the provider stops it. second_usd: what each of them costs.
    optimization_level, seed_transpiler: Qiskit's.
    """

    backends: tuple[str, ...] = ()
    identity: Literal["tag", "none", "forgetful"] = "tag"
    account: str = "default"
    region: str = "default"
    prefix: str = "quire"
    seconds: float = 30.0
    calls: int = 64
    longest: int = 600
    second_usd: float = 0.0
    optimization_level: int = 1
    seed_transpiler: int = 7


@dataclass(frozen=True, eq=False)
class Compiler:
    """The compiler for a backend as it was described; `compiling` guards the pass manager, which keeps state."""

    described: Described
    figures: DeviceFigures
    family: str
    pass_manager: Any
    compiling: Lock = field(default_factory=Lock)


@dataclass(frozen=True, eq=False)
class Sent:
    """Work as it is given to a backend.

    calibration_id: of what it was compiled for. compiled: its circuits, scale by scale.
    read_from, scales: as `Outcome` has them; empty where nobody knows any more.
    """

    calibration_id: str
    compiled: Sequence[Compiled]
    read_from: tuple[tuple[int, ...], ...]
    scales: tuple[float, ...]


class Compilers:
    """Compilers by backend, each for the newest calibration that was read."""

    def __init__(self, settings: IbmSettings, compiled: CompileCache[Compiled]) -> None:
        """compiled: the cache of compilations."""
        self._settings = settings
        self._compiled = compiled
        self._compilers: dict[str, Compiler] = {}

    def opened(self) -> tuple[str, ...]:
        """The backends that have been described."""
        return tuple(self._compilers)

    def described(self, backend: str) -> Described | None:
        """A backend's newest description."""
        compiler = self._compilers.get(backend)
        return compiler.described if compiler is not None else None

    def snapshots(self) -> dict[str, Snapshot]:
        """The backends' newest calibrations."""
        known = list(self._compilers.items())  # a thread may add one meanwhile
        return {name: Snapshot(each.described.calibration_id, each.figures) for name, each in known}

    def renew(self, backend: str, described: Described) -> bool:
        """Take a description; whether its calibration is another, for which circuits are compiled anew."""
        from qiskit.transpiler import generate_preset_pass_manager  # noqa: PLC0415 - imports the SDK

        from quire_quantum_gateway.providers.qiskit_machines import family_of  # noqa: PLC0415 - imports the SDK

        old = self._compilers.get(backend)
        if old is not None and old.described.calibration_id == described.calibration_id:
            return False
        pass_manager = generate_preset_pass_manager(
            self._settings.optimization_level,
            backend=described.backend,
            seed_transpiler=self._settings.seed_transpiler,
        )
        figures, family = figures_of(described.backend.target), f"ibm:{backend} {family_of(described.backend)}"
        self._compilers[backend] = Compiler(described, figures, family, pass_manager)
        if old is not None:
            stale = (old.family, old.described.calibration_id)
            self._compiled.forget(lambda key: (key.family, key.calibration) == stale)
        return old is not None

    def compile(self, backend: str, work: Work) -> Sent:
        """The work's circuits, each scale's, as the backend, which has been described, takes them; parameters free."""
        from quire_quantum_gateway.providers.qiskit_compiled import compile_structure, reached, scaled  # noqa: PLC0415 - same

        compiler = self._compilers[backend]
        options = f"level={self._settings.optimization_level} seed={self._settings.seed_transpiler} on={work.places}"
        calibration_id = compiler.described.calibration_id
        found = []
        for each in work.circuits():
            key = CompileKey(each.sha256, compiler.family, options, calibration_id)
            make = partial(compile_structure, compiler, each, work.places)
            found.append(self._compiled.get(key, make)[0])
        read_from = tuple(each.read_from for each in found)
        return Sent(calibration_id, scaled(found, work.scales), read_from, reached(found, work.scales))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A finished job. tallies: row by row of each circuit, in order.

    described: the backend's newest description. sent: what was given to it.
    """

    site: Site
    described: Described
    sent: Sent
    job: Job
    ended: datetime
    tallies: Sequence[Tallies]


def outcome_of(ran: Ran, work: Work, settings: IbmSettings) -> Outcome:
    """The outcome of a finished job, counts row-major over [parameter set, circuit]."""
    from quire_quantum_gateway.providers.qiskit_runs import packed  # noqa: PLC0415 - imports the SDK

    circuits, start = len(ran.sent.compiled), 0
    bits = ran.sent.compiled[0].circuit.num_clbits
    members = []
    for member in work.members:
        rows = range(start, start + len(member.parameters))
        tallies = [ran.tallies[circuit * work.rows + row] for row in rows for circuit in range(circuits)]
        members.append(MemberOutcome(counts=packed(tallies, bits)))
        start = rows.stop
    return Outcome(tuple(members), _execution(ran, work, settings), ran.sent.read_from, ran.sent.scales)


def _execution(ran: Ran, work: Work, settings: IbmSettings) -> Execution:
    seconds = ran.job.quantum_seconds or 0.0
    return Execution(
        target=f"ibm:{ran.site.device}",
        provider="ibm",
        backend=ran.site.device,
        region=ran.site.region,
        calibration_id=ran.described.calibration_id,
        circuit_sha256=work.structure.sha256,
        shots=work.shots,
        parameter_sets=work.rows,
        started_at=ran.job.created,
        queue_seconds=max(0.0, (ran.ended - ran.job.created).total_seconds() - seconds),
        compile_seconds=0.0,
        execute_seconds=seconds,
        provider_job_id=ran.job.job_id,
        simulator=ran.described.simulator,
        compiled_depth=max(each.depth for each in ran.sent.compiled),
        two_qubit_gates=max(each.two_qubit_gates for each in ran.sent.compiled),
        cost_usd=seconds * settings.second_usd,
        transpiler={
            "optimization_level": settings.optimization_level,
            "seed_transpiler": settings.seed_transpiler,
            "compiled_for": ran.sent.calibration_id,
        },
        provider_metadata={"circuits": len(ran.sent.compiled)},
    )
