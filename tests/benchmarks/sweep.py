"""One sweep through all services beside Aer called by hand and beside the usual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import aer
import numpy as np
from circuits import Ansatz, qaoa
from house import stages, started
from measure import Report, command_line, interleaved, median, timed

from quire.client import Client

SHOTS = 1_024
LIMITS = {10: 20.0, 12: 8.0, 14: 7.0, 16: 4.0}
"""Times the best call of Aer, expectation values back."""

COUNTS_LIMIT, LOOP_LIMIT, EXACT_LIMIT, AER_LIMIT = 10.0, 800.0, 6.0, 1.15
TRIED_SETS, LOOP_SETS = 100, 5
BY_AER = {"QUIRE_GPU_SIMULATION_EXECUTOR": "aer"}
WAYS = ("values", "counts", "exact", "aer")


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    parser = command_line(__doc__ or "")
    parser.add_argument("--qubits", type=int, nargs="+", help="widths; by default 10 and 12, with --full up to 16")
    parser.add_argument("--sets", type=int, default=1_000, help="parameter sets in the sweep")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="what is asked for, and of whom")
    parser.add_argument("--stages", action="store_true", help="also between which messages the time went")
    arguments = parser.parse_args(given)
    widths = arguments.qubits or ([10, 12, 14, 16] if arguments.full else [10, 12])
    report = Report("sweep", arguments)
    asked = [way for way in arguments.ways if way != "aer"]
    if asked:
        with started() as quire, Client(quire.http) as client:
            for qubits in widths:
                for way in asked:
                    compare(report, client, qaoa(qubits), way, arguments.sets, arguments.repeats or repeats(qubits))
            if arguments.stages:
                for stage, seconds in asyncio.run(stages(quire)).items():
                    report.row(until=stage, messages=len(seconds), p50_ms=1e3 * median(seconds))
    if "aer" in arguments.ways:
        with started(BY_AER) as quire, Client(quire.http) as client:
            for qubits in widths:
                compare(report, client, qaoa(qubits), "aer", arguments.sets, arguments.repeats or repeats(qubits))
    report.remark(f"QAOA p=2 on a 3-regular graph, {arguments.sets} sets, {SHOTS} shots; medians in ms for the sweep")
    report.remark("Aer: one transpiled circuit, one PUB, runtime binding, the best of the thread settings tried; its")
    report.remark(
        "time ends with its BitArray: making values of it is not counted. Quire's ends with the answer parsed."
    )
    report.remark("engine: what the executions say they took, added up; first: with a structure nobody has sent before")
    report.remark(f"the loop (assign, transpile, run) is extrapolated from {LOOP_SETS} sets")
    report.finish()


def repeats(qubits: int) -> int:
    """Fewer where one run takes long."""
    return 5 if qubits <= 12 else 3


def compare(report: Report, client: Client, ansatz: Ansatz, way: str, sets: int, times: int) -> None:
    """One width and one way of asking: the first sweep, and the medians of later ones, in turns with Aer."""
    make = aer.estimator(ansatz) if way == "exact" else aer.sampler(ansatz, SHOTS)
    options = aer.best_settings(make, ansatz.draw(TRIED_SETS, 1))
    by_hand, ask = make(options), asker(client, ansatz, way)
    seeds, ran = count(100), list[float]()
    first = timed(lambda: ask(ansatz.draw(sets, next(seeds))))

    def quire() -> None:
        # Other parameters each time: nothing may be answered from a cache.
        ran.append(sum(each.execute_seconds for each in ask(ansatz.draw(sets, next(seeds))).executions))

    def hand() -> None:
        by_hand(ansatz.draw(sets, next(seeds)))

    seconds = interleaved({"quire": quire, "aer": hand}, times)
    ours, theirs = median(seconds["quire"]), median(seconds["aer"])
    loop = sets / LOOP_SETS * timed(lambda: aer.usual_loop(ansatz, SHOTS)(ansatz.draw(LOOP_SETS, 3)))
    report.row(
        asked=way,
        n=ansatz.qubits,
        quire_ms=1e3 * ours,
        quire_best_ms=1e3 * min(seconds["quire"]),
        engine_ms=1e3 * median(ran),
        first_ms=1e3 * first,
        aer_ms=1e3 * theirs,
        aer_threads=f"{options['max_parallel_threads']}/{options.get('max_parallel_experiments', 1)}",
        times_aer=theirs / ours,
        times_loop=loop / ours,
    )
    report.raw[f"{way}-{ansatz.qubits}"] = seconds
    judge(report, way, ansatz.qubits, theirs / ours, loop / ours)


def judge(report: Report, way: str, qubits: int, times_aer: float, times_loop: float) -> None:
    """The issue's limits."""
    if way == "values" and qubits in LIMITS:
        report.at_least(f"values, n={qubits}: times Aer by hand", times_aer, LIMITS[qubits])
        if qubits == 10:
            report.at_least("values, n=10: times the usual loop", times_loop, LOOP_LIMIT)
    elif way == "counts" and qubits == 10:
        report.at_least("counts, n=10: times Aer by hand", times_aer, COUNTS_LIMIT)
    elif way == "exact" and qubits <= 14:
        report.at_least(f"exact, n={qubits}: times EstimatorV2", times_aer, EXACT_LIMIT)
    elif way == "aer":
        report.at_most(f"on Aer, n={qubits}: share of Aer's own time", 1 / times_aer, AER_LIMIT)


def asker(client: Client, ansatz: Ansatz, way: str) -> Callable[[np.ndarray], Any]:
    """A function that sends a sweep, waits for its answer and checks its shape."""
    if way == "counts":
        shape: dict[str, Any] = {"kind": "sample", "program": ansatz.qasm(measured=True), "shots": SHOTS}
    else:
        precision = 0.0 if way == "exact" else SHOTS**-0.5
        shape = {"kind": "estimate", "program": ansatz.qasm(measured=False), "precision": precision}
        shape["observables"] = [ansatz.observable]

    def ask(sets: np.ndarray) -> Any:
        view = client.submit({**shape, "parameters": sets.tolist()}).result(timeout=600)
        if way != "counts" and len(view.values) != len(sets):
            raise RuntimeError(f"{len(view.values)} values came back of {len(sets)}")
        return view

    return ask


if __name__ == "__main__":
    main()
