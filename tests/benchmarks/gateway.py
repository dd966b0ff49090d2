"""A sweep on a noisy 27-qubit stand-in and on Braket's local simulator, beside the loops that people write for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import circuits
from circuits import Ansatz, qaoa
from house import started
from measure import Report, command_line, median, timed
from numpy.typing import NDArray

from quire.answer import JobView
from quire.client import Client

NOISY, BRAKET = "qiskit:fake_kolkata", "braket:local"
TIMES = 5.0
LOOP_SETS = 4
_SEEDS = count(1)


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    parser = command_line(__doc__ or "")
    parser.add_argument("--sets", type=int, default=200, help="parameter sets in the sweep")
    parser.add_argument("--shots", type=int, default=1_000)
    parser.add_argument("--qubits", type=int, default=6, help="width of the QAOA circuit")
    parser.add_argument("--targets", nargs="+", default=[NOISY, BRAKET])
    arguments = parser.parse_args(given)
    report, ansatz = Report("gateway", arguments), qaoa(arguments.qubits, layers=1)
    with started() as quire, Client(quire.http) as client:
        for target in arguments.targets:
            loop = usual_loop(target, ansatz, arguments.shots)
            loop(ansatz.draw(1, 0))
            views: list[JobView] = []

            def sweep(target: str = target, views: list[JobView] = views) -> None:
                document = {"kind": "sample", "program": ansatz.qasm(measured=True), "shots": arguments.shots}
                document |= {"targets": [target], "parameters": ansatz.draw(arguments.sets, next(_SEEDS)).tolist()}
                views.append(client.submit(document).result(timeout=900))

            first, ours, theirs = timed(sweep), [], []
            for _ in range(arguments.repeats or (3 if arguments.full else 2)):
                ours.append(timed(sweep))
                rows = ansatz.draw(LOOP_SETS, next(_SEEDS))
                theirs.append(timed(lambda: loop(rows)) / LOOP_SETS * arguments.sets)  # noqa: B023 - called here
            enter(report, target, arguments.sets, first, median(ours), median(theirs), views)
    report.remark(
        f"QAOA p=1, n={arguments.qubits}, {arguments.shots} shots, {arguments.sets} sets; seconds for the sweep"
    )
    report.remark(
        f"the usual loop (assign, transpile, run; or a program and its inputs) is extrapolated from {LOOP_SETS}"
    )
    report.finish()


def enter(
    report: Report, target: str, sets: int, first: float, ours: float, theirs: float, views: Sequence[JobView]
) -> None:
    """One target's row and limits."""
    executions = [each for view in views for each in view.executions]
    if {each.target for each in executions} != {target}:
        raise RuntimeError(f"the work went elsewhere: {sorted({each.target for each in executions})}")
    compiled = sum(not each.compile_cached for each in executions)
    report.row(
        target=target,
        first_s=first,
        quire_s=ours,
        ms_a_set=1e3 * ours / sets,
        loop_s=theirs,
        times_loop=theirs / ours,
        batches=len(executions),
        compiled=compiled,
    )
    report.at_least(f"{target}: times the usual loop", theirs / ours, TIMES)
    if target == NOISY:
        report.at_most(f"{target}: compilations in {len(views)} sweeps", compiled, 1)


def usual_loop(target: str, ansatz: Ansatz, shots: int) -> Callable[[NDArray[Any]], Any]:
    """What a program that calls the provider itself does for each parameter set."""
    if target == BRAKET:
        return braket_loop(ansatz, shots)
    from qiskit import transpile
    from qiskit_aer import AerSimulator
    from qiskit_ibm_runtime.fake_provider import FakeKolkataV2

    backend, circuit = FakeKolkataV2(), ansatz.circuit(measured=True)
    simulator = AerSimulator.from_backend(backend)

    def run(rows: NDArray[Any]) -> list[dict[str, int]]:
        bound = [circuit.assign_parameters(row) for row in rows]
        return [simulator.run(transpile(each, backend), shots=shots).result().get_counts() for each in bound]

    return run


def braket_loop(ansatz: Ansatz, shots: int) -> Callable[[NDArray[Any]], Any]:
    """One task for each parameter set, its angles as inputs."""
    from braket.devices import LocalSimulator
    from braket.ir.openqasm import Program

    text = ansatz.qasm(measured=True).replace(circuits.HEADER, "OPENQASM 3.0;\n").replace(circuits.RZZ, "")
    text = text.replace("rzz(", "zz(").replace("cx ", "cnot ")
    device = LocalSimulator()

    def run(rows: NDArray[Any]) -> list[dict[str, int]]:
        inputs = [{f"t{index}": float(value) for index, value in enumerate(row)} for row in rows]
        return [
            dict(device.run(Program(source=text, inputs=each), shots=shots).result().measurement_counts)
            for each in inputs
        ]

    return run


if __name__ == "__main__":
    main()
