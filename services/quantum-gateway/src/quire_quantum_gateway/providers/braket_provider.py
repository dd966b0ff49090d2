"""Amazon Braket behind the provider port: its local simulators, by OpenQASM programs with inputs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_contracts.value import Execution
from quire_plane import admit
from quire_plane.compile_cache import CompileCache, CompileKey
from quire_quantum.counts import pack_samples
from quire_quantum.executor import Capabilities, MemberOutcome, Outcome, row_generator
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.faults import CIRCUIT, NO_BACKEND, NOT_INSTALLED, WIDTH, Table, translated
from quire_quantum_gateway.providers.local_jobs import LocalJobs
from quire_quantum_gateway.providers.port import JobStatus, Quote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from quire_contracts.value import Fault
    from quire_quantum.executor import Member, Work
    from quire_quantum_gateway.providers.braket_local import Parsed
    from quire_resilience.clock import Clock

BACKENDS: Final = {"local": 26, "local_dm": 13}
"""The local simulators and the qubits each takes, as their device properties say."""

FAULTS: Final[Table] = {
    "builtins.IndexError": CIRCUIT,
    "builtins.MemoryError": WIDTH,
    "builtins.ModuleNotFoundError": NOT_INSTALLED,
    "builtins.NameError": CIRCUIT,
    "builtins.NotImplementedError": CIRCUIT,
    "builtins.TimeoutError": faults.TIMED_OUT,
    "builtins.TypeError": CIRCUIT,
    "builtins.ValueError": CIRCUIT,
    "braket.default_simulator.openqasm.parser.openqasm_parser.QASM3ParsingError": CIRCUIT,
    "braket.default_simulator.openqasm.program_context._BreakSignal": CIRCUIT,
    "braket.default_simulator.openqasm.program_context._ContinueSignal": CIRCUIT,
    "numpy.exceptions.AxisError": CIRCUIT,
    "pydantic.v1.error_wrappers.ValidationError": CIRCUIT,
}
"""Every exception that Braket's parser and local simulators raise; they say most things by Python's own."""


class BraketProvider:
    """The provider `braket`; see `providers.port.Provider`.

    enabled: backend names or patterns.
    compiled: how many parsed programs are kept.
    """

    name = "braket"
    forgetful = True

    def __init__(self, enabled: Sequence[str], max_qubits: int, clock: Clock, *, compiled: int = 256) -> None:
        """Nothing of Braket is imported before it is asked for."""
        self._enabled = tuple(name for name in BACKENDS if any(fnmatchcase(name, pattern) for pattern in enabled))
        self._max_qubits = max_qubits
        self._clock = clock
        self._jobs = LocalJobs()
        self._parsed: CompileCache[Parsed] = CompileCache(compiled)

    def discover(self) -> Sequence[Capabilities]:
        """See `Provider.discover`."""
        return [self.capabilities(name) for name in self._enabled]

    def capabilities(self, backend: str) -> Capabilities:
        """See `Provider.capabilities`."""
        if backend not in self._enabled:
            raise faults.error_of(faults.fault_of(NO_BACKEND))
        try:
            version("amazon-braket-default-simulator")
        except PackageNotFoundError as error:
            raise faults.error_of(faults.fault_of(NOT_INSTALLED)) from error
        return Capabilities(
            target=f"braket:{backend}",
            max_qubits=min(BACKENDS[backend], self._max_qubits),
            exact=True,
            mid_circuit=False,
        )

    def cost(self, backend: str, work: Work) -> Quote:  # noqa: ARG002 - local simulators are free, whatever they run
        """Nothing."""
        return Quote()

    def submit(self, backend: str, work: Work, token: str) -> str:
        """Accept the work; it runs when it is retrieved.

        Raises:
            Permanent: the backend cannot take it.
        """
        admit(work, self.capabilities(backend))
        return self._jobs.accept(token, lambda: self._execute(backend, work, f"local-{token}"))

    def status(self, job_id: str) -> JobStatus:
        """See `Provider.status`."""
        return self._jobs.status(job_id)

    def cancel(self, job_id: str) -> None:
        """See `Provider.cancel`."""
        self._jobs.cancel(job_id)

    def retrieve(self, job_id: str) -> Outcome:
        """See `Provider.retrieve`."""
        return self._jobs.result(job_id)

    def classify(self, error: BaseException) -> Fault:
        """See `Provider.classify`."""
        return faults.classify(error, FAULTS)

    def _execute(self, backend: str, work: Work, job_id: str) -> Outcome:
        started_at, began = self._clock.now(), self._clock.monotonic()
        with translated(FAULTS):
            found = self._compile(backend, work)
            parsed = [each for each, _ in found]
            ready = self._clock.monotonic()
            if work.shots is None:
                members = tuple(_exact(backend, parsed[0], work, member) for member in work.members)
            else:
                members = tuple(_sampled(backend, parsed, work, member) for member in work.members)
        execution = Execution(
            target=f"braket:{backend}",
            provider=self.name,
            backend=backend,
            region="local",
            calibration_id="none",
            circuit_sha256=work.structure.sha256,
            shots=work.shots,
            parameter_sets=work.rows,
            started_at=started_at,
            queue_seconds=0.0,
            compile_seconds=ready - began,
            execute_seconds=self._clock.monotonic() - ready,
            provider_job_id=job_id,
            simulator=True,
            compile_cached=all(cached for _, cached in found),
            compiled_depth=max(each.depth for each in parsed),
            two_qubit_gates=max(each.two_qubit_gates for each in parsed),
            cost_usd=self.cost(backend, work).usd,
            provider_metadata={
                "simulator_version": version("amazon-braket-default-simulator"),
                "noise": False,
                "circuits": len(parsed),
            },
        )
        return Outcome(members, execution)

    def _compile(self, backend: str, work: Work) -> list[tuple[Parsed, bool]]:
        """The parsed program of each circuit to run, and whether it was kept from before."""
        from quire_quantum_gateway.providers.braket_local import parse  # noqa: PLC0415 - imports the SDK, 2 s

        def get(key: CompileKey, make: Callable[[], Parsed]) -> tuple[Parsed, bool]:
            return self._parsed.get(key, make)

        if work.shots is None:
            labels = _labels(work)
            key = CompileKey(work.structure.sha256, backend, f"expectations {' '.join(labels)}", "none")
            return [get(key, lambda: parse(work.structure, labels))]
        return [
            get(CompileKey(each.sha256, backend, "shots", "none"), lambda each=each: parse(each))  # type: ignore[misc]
            for each in work.circuits()
        ]


def _labels(work: Work) -> tuple[str, ...]:
    """The Pauli labels of all observables, each once; the identity, if alone, so that there is something to ask."""
    return tuple(sorted({label for observable in work.observables for label in observable.labels}))


def _sampled(backend: str, parsed: Sequence[Parsed], work: Work, member: Member) -> MemberOutcome:
    """Counts of a member: row r of circuit c draws from the stream of (seed, r, c)."""
    from quire_quantum_gateway.providers.braket_local import sample  # noqa: PLC0415 - imports the SDK

    shots, rows = work.shots or 0, []
    for index, angles in enumerate(member.parameters):
        for circuit, each in enumerate(parsed):
            width = work.structure.num_qubits if work.observables else work.structure.num_bits
            bits: NDArray[np.uint8] = np.zeros((shots, width), np.uint8)
            drawn = sample(backend, each, angles, shots, row_generator(member.seed, index, circuit))
            bits[:, list(each.program.measured_bits)] = drawn
            rows.append(bits)
    return MemberOutcome(counts=pack_samples(rows, bit_order="big"))


def _exact(backend: str, parsed: Parsed, work: Work, member: Member) -> MemberOutcome:
    """Exact values of a member, float64 [rows, observables]."""
    from quire_quantum_gateway.providers.braket_local import expectations  # noqa: PLC0415 - imports the SDK

    labels = {label: index for index, label in enumerate(_labels(work))}
    weights = np.zeros((len(labels), len(work.observables)))
    for column, observable in enumerate(work.observables):
        for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
            weights[labels[label], column] += coefficient
    terms = [expectations(backend, parsed, angles) for angles in member.parameters]
    return MemberOutcome(values=np.array(terms).reshape(len(terms), len(labels)) @ weights)
