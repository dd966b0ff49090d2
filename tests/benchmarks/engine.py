"""The engine in its own process beside other simulators, beside the memory's bandwidth, and against Aer's answers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import circuits
import numpy as np
from circuits import Ansatz
from measure import HERE, ROOT, Report, command_line, median, say, timed
from memory import copied_bytes_per_second
from numpy.typing import NDArray
from qiskit import transpile
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_aer import AerSimulator

from quire_contracts.value import Observable
from quire_gpu_simulation.engine.cpu import CpuBackend
from quire_gpu_simulation.engine.executor import EngineExecutor
from quire_gpu_simulation.engine.fusion import compile_structure
from quire_gpu_simulation.engine.team import Team
from quire_quantum.executor import Executor, Member, Work
from quire_quantum.observables import normalise
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum.structure import Angle, Operation, Structure
from quire_resilience.clock import SystemClock
from quire_testing.circuits import random_structure

SETS, SHOTS = 100, 1_024
PEERS = ("aer", "qulacs", "lightning", "tensorcircuit", "braket")
AHEAD, FLOOR, AGREES = 1.0, 2.5, 1e-10
FLOOR_FROM = 16
MEMORY_BYTES = 4 * 2**30
Ask = Callable[[dict[str, Any]], dict[str, Any]]


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    parser = command_line(__doc__ or "")
    parser.add_argument("--qubits", type=int, nargs="+", help="widths; by default 8, 12, 16, with --full 8 to 18")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS), help="with whom")
    parser.add_argument("--ansatz", nargs="+", choices=("qaoa", "efficient"), default=["qaoa", "efficient"])
    parser.add_argument("--modes", nargs="+", choices=("exact", "sampled"), default=["exact", "sampled"])
    parser.add_argument("--circuits", type=int, default=0, help="random circuits to agree on; 100, with --full 1000")
    arguments = parser.parse_args(given)
    widths = arguments.qubits or ([8, 10, 12, 14, 16, 18] if arguments.full else [8, 12, 16])
    report = Report("engine", arguments)
    team = Team(len(os.sched_getaffinity(0)), MEMORY_BYTES)
    executor = EngineExecutor(CpuBackend(team), SystemClock())
    bandwidth = copied_bytes_per_second()
    report.raw["copy_gb_per_second"] = bandwidth / 1e9
    with simulators(arguments.peers) as ask:
        for qubits in widths:
            for kind in arguments.ansatz:
                for mode in arguments.modes:
                    ansatz = getattr(circuits, kind)(qubits)
                    compare(
                        report,
                        executor,
                        ask,
                        ansatz,
                        mode,
                        arguments.peers,
                        bandwidth,
                        arguments.repeats or (9 if qubits <= 12 else 3),
                    )
    number = arguments.circuits or (1_000 if arguments.full else 100)
    worst = max(disagreement(executor, seed) for seed in range(number)) if number > 0 else 0.0
    report.at_most(f"largest difference from Aer on {number} random circuits", worst, AGREES)
    report.remark(f"ms a set, sweeps of {SETS} sets, {SHOTS} shots where sampled; '-': not installed, or it cannot")
    report.remark("lightning from n=14 (10 sets) and braket (3 sets) have no batch: their time is extrapolated")
    report.remark(
        f"floor: bytes of the engine's own passes over {bandwidth / 1e9:.1f} GB/s, copied by all cores just now"
    )
    report.finish()


def compare(
    report: Report,
    executor: Executor,
    ask: Ask,
    ansatz: Ansatz,
    mode: str,
    peers: Sequence[str],
    bandwidth: float,
    times: int,
) -> None:
    """One row: everybody in turns, on other parameters in every turn."""
    structure, observable = structure_of(ansatz), normalise(ansatz.observable, ansatz.qubits)
    asked = {"ansatz": ansatz.name, "qubits": ansatz.qubits, "mode": mode, "sets": SETS, "shots": SHOTS}
    seconds: dict[str, list[float]] = {"engine": [], **{peer: [] for peer in peers}}
    shots = SHOTS if mode == "sampled" else None
    run(executor, structure, observable, shots, ansatz.draw(SETS, 0))
    for turn in range(1, times + 1):
        rows = ansatz.draw(SETS, turn)
        found: list[Any] = []
        took = timed(lambda: found.append(run(executor, structure, observable, shots, rows)))  # noqa: B023
        seconds["engine"].append(took / SETS)
        for peer in peers:
            answer = ask({**asked, "peer": peer, "seed": turn})
            if "error" in answer:
                report.raw[f"{peer} {ansatz.name} {ansatz.qubits} {mode}"] = answer["error"]
                continue
            seconds[peer].append(answer["seconds"] / answer["sets"])
            if mode == "exact":
                np.testing.assert_allclose(found[0][: answer["sets"]], answer["values"], atol=1e-6, err_msg=peer)
    ours = median(seconds["engine"])
    found_peers = [(median(values), peer) for peer, values in seconds.items() if values and peer != "engine"]
    best = min(found_peers, default=(float("nan"), "-"))
    floor = compile_structure(structure).bytes_moved(SETS, itemsize=8) / bandwidth / SETS
    report.row(
        n=ansatz.qubits,
        circuit=ansatz.name,
        mode=mode,
        engine=1e3 * ours,
        **{peer: 1e3 * median(seconds[peer]) if seconds[peer] else "-" for peer in peers},
        best=best[1],
        ahead=best[0] / ours,
        floor=1e3 * floor,
        times_floor=ours / floor,
    )
    say(f"  {ansatz.name} n={ansatz.qubits} {mode}: {1e3 * ours:.3g} ms, {best[1]} {1e3 * best[0]:.3g} ms")
    report.raw[f"{ansatz.name}-{ansatz.qubits}-{mode}"] = seconds
    report.at_least(f"{ansatz.name} n={ansatz.qubits} {mode}: times the best peer", best[0] / ours, AHEAD)
    if ansatz.qubits >= FLOOR_FROM and mode == "exact":
        report.at_most(f"{ansatz.name} n={ansatz.qubits}: times the memory's floor", ours / floor, FLOOR)


def run(
    executor: Executor, structure: Structure, observable: Observable, shots: int | None, rows: NDArray[np.float64]
) -> list[float]:
    """A sweep, as a plane runs it; its values."""
    work = Work(structure, (Member(rows, 7),), shots, (observable,), reduced=shots is not None)
    values = executor.execute(work).members[0].values
    return [] if values is None else values[:, 0].tolist()


def structure_of(ansatz: Ansatz) -> Structure:
    """The ansatz as the fleet knows it."""
    operations = [
        Operation(name, qubits, () if parameter is None else (Angle(parameter, factor),))
        for name, qubits, parameter, factor in ansatz.gates
    ]
    return Structure(ansatz.qubits, 0, ansatz.parameters, tuple(operations))


def disagreement(executor: Executor, seed: int) -> float:
    """The largest difference of exact values between the engine and Aer on a random circuit of up to 8 qubits."""
    generator = np.random.default_rng(seed)
    structure = random_structure(generator, int(generator.integers(2, 9)), int(generator.integers(5, 60)))
    labels = {"".join(generator.choice(list("IXYZ"), structure.num_qubits)): 1.0 for _ in range(4)}
    observables = tuple(normalise({label: 1.0}, structure.num_qubits) for label in labels)
    rows = generator.uniform(-np.pi, np.pi, (2, structure.num_parameters))
    found = executor.execute(Work(structure, (Member(rows),), None, observables)).members[0].values
    simulator, circuit = AerSimulator(method="statevector", max_parallel_threads=1), to_circuit(structure)
    worst = 0.0
    for row, values in enumerate(rows):
        free = sorted(circuit.parameters, key=lambda each: each.index)
        bound = circuit.assign_parameters({each: values[each.index] for each in free})
        bound = transpile(bound, simulator, optimization_level=0)
        bound.save_statevector()
        state = Statevector(np.asarray(simulator.run(bound).result().get_statevector()))
        expected = [state.expectation_value(SparsePauliOp(label)).real for label in labels]
        if found is not None:
            worst = max(worst, float(np.abs(found[row] - expected).max()))
    return worst


@contextmanager
def simulators(peers: Sequence[str]) -> Iterator[Ask]:
    """A function that asks the other simulators, which live in a child process of their own environment."""
    python = ROOT / ".venv-bench" / "bin" / "python"
    if not python.exists() or not peers:
        say("the other simulators are not installed: `just bench-peers`" if peers else "no peers")
        yield lambda _: {"error": "not installed"}
        return
    child = subprocess.Popen(
        [str(python), str(HERE / "peers.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Waiting threads that spin take the cores from each other wherever anything else runs too.
        env={**os.environ, "OMP_WAIT_POLICY": "passive"},
    )

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the child has no pipes")
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.flush()
        answer = child.stdout.readline()
        return json.loads(answer) if answer else {"error": f"the child ended, {child.poll()}"}

    try:
        yield ask
    finally:
        child.kill()
        child.wait()


if __name__ == "__main__":
    main()
