"""One structure on one of Aer's simulators: compiled once with free parameters, all rows bound in one call."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator

from quire_plane.aer_gates import BINDABLE, IDEAL_BASIS, ROW_STRIDE
from quire_quantum.qiskit_circuit import to_circuit
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from quire_contracts.value import Observable
    from quire_gpu_simulation.chooser import Choice
    from quire_quantum.structure import Structure

_MEMORY: Final = re.compile(r"(?i)memory|qubits.*exceed|greater than maximum")
_FUSED_QUBITS: Final = 14
"""Aer fuses gates from here on, of a lone row with its numbers bound before and of several rows after: a lone row runs
twice, so that its rounding is the same in company."""

_BY_ROWS: Final = frozenset({"statevector", "stabilizer"})
"""Methods whose rows, or shots where there is one row, are shared among threads. The others keep notes in places that
all threads share, or add up on several threads what is rounded otherwise on one."""

_DISCARDED: Final = re.compile(r"discarded_value=([0-9.e+-]+)")


@dataclass(frozen=True, eq=False)
class Compiled:
    """A circuit whose free parameters are the structure's columns `columns`, in order."""

    circuit: QuantumCircuit
    columns: tuple[int, ...]
    depth: int
    two_qubit_gates: int


@dataclass(frozen=True)
class Method:
    """One of Aer's simulation methods; `bond` bounds a matrix product state, whose smallest parts are then cut off."""

    name: str = "statevector"
    bond: int | None = None

    @classmethod
    def of(cls, choice: Choice, bond: int) -> Method:
        """The method that was chosen; `bond` is used where the choice says that something may be cut off."""
        return cls(choice.method, bond if choice.truncates else None)

    def options(self) -> dict[str, Any]:
        """Aer's words for it."""
        if self.bond is None:
            return {"method": self.name}
        return {"method": self.name, "matrix_product_state_max_bond_dimension": self.bond, "mps_log_data": True}


STATE_VECTOR: Final = Method()


class AerRuns:
    """An Aer simulator and its compiler; one call at a time.

    threads: of the simulator; they share the rows of a call among them, each on a state of its own, so that neither
    their number nor a row's mates change an answer.
    discarded: the largest weight that the latest call cut off a matrix product state (0 where nothing was).
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.discarded = 0.0
        # A thread of its own: Aer otherwise runs every job of the process, also of other services in it, on one.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aer-simulation")
        self._simulator = AerSimulator(
            method="statevector",
            executor=self._thread,
            runtime_parameter_bind_enable=True,
        )
        self._compiler = generate_preset_pass_manager(1, basis_gates=list(IDEAL_BASIS))
        self._compiling = Lock()

    @property
    def version(self) -> str:
        """Aer's version."""
        return str(self._simulator.configuration().backend_version)

    def compile(self, structure: Structure, method: Method = STATE_VECTOR) -> Compiled:
        """Compile a structure for a method, parameters free."""
        circuit = to_circuit(structure)
        if method.name != "stabilizer":  # which runs Clifford gates as they are, and nothing that they may merge to
            with self._compiling:
                circuit = self._compiler.run(circuit)
        circuit.global_phase = 0  # no result shows it, and Aer cannot bind a free one
        free = {item.operation.name for item in circuit.data if item.operation.is_parameterized()}
        if not free <= BINDABLE:
            raise RuntimeError(f"gates whose parameters Aer does not bind: {sorted(free - BINDABLE)}")
        pairs = sum(len(item.qubits) == 2 and item.operation.name != "barrier" for item in circuit.data)  # noqa: PLR2004
        return Compiled(circuit, tuple(each.index for each in circuit.parameters), circuit.depth(), pairs)

    def probabilities(
        self, compiled: Compiled, parameters: NDArray[np.float64], threads: int = 0
    ) -> list[NDArray[np.float64]]:
        """Probabilities of the basis states, float64 [2**qubits] for each row; the circuit measures nothing.

        threads: at most so many; 0 is all.
        """
        circuit = compiled.circuit.copy()
        circuit.save_probabilities(label="p")
        return [data["p"] for data in self._worked_out(replace(compiled, circuit=circuit), parameters, threads=threads)]

    def expectations(
        self,
        compiled: Compiled,
        observables: Sequence[Observable],
        parameters: NDArray[np.float64],
        method: Method = STATE_VECTOR,
        threads: int = 0,
    ) -> list[list[float]]:
        """Expectation values of each observable for each row; a reset is averaged over."""
        circuit = compiled.circuit.copy()
        for index, observable in enumerate(observables):
            operator = SparsePauliOp(list(observable.labels), list(observable.coefficients))
            circuit.save_expectation_value(
                operator.apply_layout(circuit.layout, circuit.num_qubits), range(circuit.num_qubits), label=f"o{index}"
            )
        found = self._worked_out(replace(compiled, circuit=circuit), parameters, method, threads)
        return [[float(data[f"o{index}"].real) for index in range(len(observables))] for data in found]

    def counts(
        self,
        compiled: Compiled,
        parameters: NDArray[np.float64],
        shots: int,
        seed: int | None,
        method: Method = STATE_VECTOR,
        *,
        first: int = 0,
    ) -> list[dict[str, int]]:
        """Aer's own sampling, hexadecimal: place r draws from the stream of seed + 2113 r; `first` is row 0's."""
        options = {} if seed is None else {"seed_simulator": seed + ROW_STRIDE * first}
        threads = self.threads if method.name in _BY_ROWS else 1
        found = self._run(compiled, parameters, method, threads, shots=shots, **options)
        return [data.get("counts", {"0x0": shots}) for data in found]

    def close(self) -> None:
        """Give the thread back."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _worked_out(
        self, compiled: Compiled, parameters: NDArray[np.float64], method: Method = STATE_VECTOR, threads: int = 0
    ) -> list[dict[str, Any]]:
        """What a circuit saves for each row, of which no shots are drawn."""
        rows = len(parameters)
        if not compiled.columns:
            return self._run(compiled, parameters[:1], method, threads=1, shots=1) * rows
        if rows == 1:
            fused = compiled.circuit.num_qubits >= _FUSED_QUBITS
            return self._run(compiled, np.repeat(parameters, 1 + fused, axis=0), method, threads=1, shots=1)[:1]
        threads = threads or self.threads if method.name in _BY_ROWS else 1
        # Aer shares rows among no more threads than there are shots, though it runs each row once.
        return self._run(compiled, parameters, method, threads, shots=threads)

    def _run(
        self, compiled: Compiled, parameters: NDArray[np.float64], method: Method, threads: int, **options: Any
    ) -> list[dict[str, Any]]:
        options |= method.options()
        options |= dict.fromkeys(("max_parallel_threads", "max_parallel_shots", "max_parallel_experiments"), threads)
        rows, free = len(parameters), list(compiled.circuit.parameters)
        if free:
            binds = {each: parameters[:, column].tolist() for each, column in zip(free, compiled.columns, strict=True)}
            result = self._simulator.run([compiled.circuit], parameter_binds=[binds], **options).result()
        else:
            result = self._simulator.run([compiled.circuit] * rows, **options).result()
        if not result.success:
            said = "; ".join(sorted({str(result.status), *(str(each.status) for each in result.results)}))
            if _MEMORY.search(said):
                raise too_wide()
            raise RuntimeError(f"the simulator did not run the circuit: {said[:300]}")
        if len(result.results) != rows:
            raise RuntimeError(f"the simulator answered {len(result.results)} of {rows} rows")
        if method.bond is not None:
            logs = [each.metadata.get("MPS_log_data", "") for each in result.results]
            self.discarded = max(sum(map(float, _DISCARDED.findall(log))) for log in logs)
        return [result.data(row) for row in range(rows)]


def too_wide() -> Permanent:
    """The circuit does not fit into this machine's memory."""
    return Permanent(
        "unsupported-width",
        "the circuit needs more memory than the simulator has",
        next_step="Choose another target or a smaller circuit.",
    )
