"""Amazon Braket behind the provider port: its local simulators, by OpenQASM programs with inputs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_plane.compile_cache import CompileCache, CompileKey
from quire_plane.sampling import read_out, read_text
from quire_quantum.braket_program import to_braket
from quire_quantum.counts import pack, pack_integers, pack_samples
from quire_quantum.executor import Capabilities, MemberOutcome, row_generator
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.faults import NO_BACKEND, NOT_INSTALLED
from quire_quantum_gateway.providers.local_provider import LocalProvider, Ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from braket.devices import Device
    from numpy.typing import NDArray

    from quire_quantum.braket_program import BraketProgram
    from quire_quantum.executor import Member, Work
    from quire_quantum_gateway.drift import Snapshot
    from quire_quantum_gateway.providers.braket_local import Parsed
    from quire_resilience.clock import Clock

_WORD_BITS: Final = 64
_FAMILY: Final = "braket"
"""Both simulators take the same programs."""

BACKENDS: Final = {"local": 26, "local_dm": 13}
"""The local simulators and the qubits each takes, as their device properties say."""

FAULTS: Final = faults.load("braket")
"""What exceptions of Braket's parser and local simulators mean."""


class BraketSimulators:
    """The backends of the provider `braket`; see `local_provider.Simulators`.

    enabled: backend names or patterns.
    compiled: the cache of parsed programs.
    sets: for the backends whose work goes out as program sets, how many executables a set takes.
    device: opens a backend as a Braket device, for those.
    """

    name = "braket"
    faults = FAULTS

    def __init__(
        self,
        enabled: Sequence[str],
        max_qubits: int,
        compiled: CompileCache[Parsed],
        sets: Mapping[str, int] | None = None,
        device: Callable[[str], Device] | None = None,
    ) -> None:
        """Nothing of Braket is imported before it is asked for."""
        self._enabled = tuple(name for name in BACKENDS if any(fnmatchcase(name, pattern) for pattern in enabled))
        self._max_qubits = max_qubits
        self._compiled = compiled
        self._sets = sets or {}
        self._device = device or _local_device

    def discover(self) -> Sequence[Capabilities]:
        """See `Provider.discover`."""
        return [self.capabilities(name) for name in self._enabled]

    def capabilities(self, backend: str) -> Capabilities:
        """See `Provider.capabilities`."""
        if backend not in self._enabled:
            raise faults.error_of(faults.fault_of(NO_BACKEND))
        return Capabilities(
            target=f"braket:{backend}",
            max_qubits=min(BACKENDS[backend], self._max_qubits),
            exact=backend not in self._sets,
            mid_circuit=False,
            noisy=False,
            simulator=bool(_simulator_version()),
        )

    def identity(self, backend: str) -> str | None:
        """See `Provider.identity`; a program set takes no seed."""
        if backend in self._sets:
            return None
        return f"braket:{backend}|default-simulator {_simulator_version()}|gateway {version('quire-quantum-gateway')}"

    def refresh(self) -> Sequence[str]:
        """Nothing: without noise there is no calibration."""
        return ()

    def snapshots(self) -> Mapping[str, Snapshot]:
        """Nothing, likewise."""
        return {}

    def prepare(self, backend: str, work: Work) -> Ready:
        """Parse the work's programs, inputs free."""
        if backend in self._sets:
            return self._as_sets(backend, work)
        from quire_quantum_gateway.providers.braket_local import parse  # noqa: PLC0415 - imports the SDK, 2 s

        found: list[tuple[Parsed, bool]]
        run: Callable[[Member], MemberOutcome]
        if work.shots is None:
            labels = _labels(work)
            key = CompileKey(work.structure.sha256, _FAMILY, f"expectations {' '.join(labels)}", "none")
            found = [self._compiled.get(key, lambda: parse(work.structure, labels))]
            run = partial(_exact, backend, found[0][0], work)
        else:
            found = [
                self._compiled.get(CompileKey(each.sha256, _FAMILY, "shots", "none"), partial(parse, each))
                for each in work.circuits()
            ]
            run = partial(_sampled, backend, [each for each, _ in found], work)
        parsed = [each for each, _ in found]
        return Ready(
            run=lambda: tuple([run(member) for member in work.members]),
            cached=all(cached for _, cached in found),
            depth=max(each.depth for each in parsed),
            two_qubit_gates=max(each.two_qubit_gates for each in parsed),
            metadata=_facts(len(parsed)),
        )

    def _as_sets(self, backend: str, work: Work) -> Ready:
        from quire_quantum_gateway.providers.braket_sets import run_sets  # noqa: PLC0415 - imports the SDK, 2 s

        programs = [to_braket(each) for each in work.circuits()]
        shots, at_once = work.shots or 0, self._sets[backend]

        def run() -> tuple[MemberOutcome, ...]:
            rows = np.concatenate([member.parameters for member in work.members])
            found = iter(run_sets(self._device(backend), programs, rows, shots, at_once))
            return tuple([_packed([next(found) for _ in member.parameters], programs, work) for member in work.members])

        sets = -(-work.rows * len(programs) // at_once)
        facts = {**_facts(len(programs)), "program_sets": sets, "executables": work.rows * len(programs)}
        return Ready(run=run, cached=True, depth=0, two_qubit_gates=0, metadata=facts)


def braket_provider(
    enabled: Sequence[str],
    max_qubits: int,
    clock: Clock,
    compiled: CompileCache[Parsed] | None = None,
    sets: Mapping[str, int] | None = None,
) -> LocalProvider:
    """The provider `braket`; see `BraketSimulators`."""
    return LocalProvider(
        BraketSimulators(enabled, max_qubits, CompileCache(256) if compiled is None else compiled, sets), clock
    )


@cache
def _simulator_version() -> str:
    """The simulators' version.

    Raises:
        Permanent: kind `offline`: they are not installed.
    """
    try:
        return version("amazon-braket-default-simulator")
    except PackageNotFoundError as error:
        raise faults.error_of(faults.fault_of(NOT_INSTALLED)) from error


def _local_device(backend: str) -> Device:
    from braket.devices import LocalSimulator  # noqa: PLC0415 - imports the SDK, 2 s

    return LocalSimulator({"local": "braket_sv", "local_dm": "braket_dm"}[backend])


def _facts(circuits: int) -> dict[str, str | int | float | bool | None]:
    return {"simulator_version": _simulator_version(), "noise": False, "circuits": circuits}


def _labels(work: Work) -> tuple[str, ...]:
    """The Pauli labels of all observables, each once."""
    return tuple(sorted({label for observable in work.observables for label in observable.labels}))


def _sampled(backend: str, parsed: Sequence[Parsed], work: Work, member: Member) -> MemberOutcome:
    """Counts of a member: row r of circuit c draws from the stream of (seed, r, c)."""
    from quire_quantum_gateway.providers.braket_local import sample  # noqa: PLC0415 - imports the SDK

    drawn = [
        (each.measured, *sample(backend, each, angles, work.shots or 0, row_generator(member.seed, index, circuit)))
        for index, angles in zip(member.places, member.parameters, strict=True)
        for circuit, each in enumerate(parsed)
    ]
    bits = _width(work)
    if bits > _WORD_BITS:
        return MemberOutcome(
            counts=pack([read_text(states, tallies, where, bits) for where, states, tallies in drawn], bits=bits)
        )
    rows = [(read_out(states, where), tallies) for where, states, tallies in drawn]
    return MemberOutcome(counts=pack_integers(rows, bits=bits))


def _packed(rows: list[list[NDArray[np.uint8]]], programs: Sequence[BraketProgram], work: Work) -> MemberOutcome:
    """Counts of single shots, [row][program]; a bit that is not measured is 0."""
    filled = []
    for row in rows:
        for program, drawn in zip(programs, row, strict=True):
            bits: NDArray[np.uint8] = np.zeros((len(drawn), _width(work)), np.uint8)
            bits[:, list(program.measured_bits)] = drawn
            filled.append(bits)
    return MemberOutcome(counts=pack_samples(filled, bit_order="big"))


def _width(work: Work) -> int:
    return work.structure.num_qubits if work.observables else work.structure.num_bits


def _exact(backend: str, parsed: Parsed, work: Work, member: Member) -> MemberOutcome:
    """Exact values of a member, float64 [rows, observables]."""
    from quire_quantum_gateway.providers.braket_local import expectations  # noqa: PLC0415 - imports the SDK

    labels = {label: index for index, label in enumerate(_labels(work))}
    weights = np.zeros((len(labels), len(work.observables)))
    for column, observable in enumerate(work.observables):
        for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
            weights[labels[label], column] += coefficient
    # One row at a time: a product of many rows may round a row otherwise than a product of it alone.
    values = [expectations(backend, parsed, angles) @ weights for angles in member.parameters]
    return MemberOutcome(values=np.array(values).reshape(len(values), len(work.observables)))
