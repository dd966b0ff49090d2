"""How soon a Quire is ready, what it weighs at rest, and what a sweep makes of that."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from circuits import qaoa
from house import memory_mb, started
from measure import Report, command_line, median

from quire.client import Client

READY_SECONDS, IDLE_MB = 4.0, 450.0
BUDGET_MIB, SHOTS = 1_024, 1_024
REST_SECONDS = 3.0


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    parser = command_line(__doc__ or "")
    parser.add_argument("--qubits", type=int, default=16, help="width of the sweep")
    parser.add_argument("--sets", type=int, default=200, help="parameter sets of the sweep")
    parser.add_argument("--budget", type=int, default=BUDGET_MIB, help="MiB of memory the simulator may take")
    arguments = parser.parse_args(given)
    report = Report("start_and_size", arguments)
    ready, idle, peaks = [], [], []
    for _ in range(arguments.repeats or (5 if arguments.full else 3)):
        began = time.perf_counter()
        with started({"QUIRE_GPU_SIMULATION_MEMORY_MIB": arguments.budget}) as quire:
            ready.append(time.perf_counter() - began)
            time.sleep(REST_SECONDS)  # what a start has begun is done
            idle.append(memory_mb(quire.pid))
            peaks.append(peak_of_a_sweep(quire.pid, quire.http, arguments.qubits, arguments.sets))
    before = median([each["pss"] for each in idle])
    report.row(
        ready_s=median(ready),
        ready_first_s=ready[0],
        idle_pss_mb=before,
        idle_rss_mb=median([each["rss"] for each in idle]),
        broker_mb=median([each["broker"] for each in idle]),
        sweep_peak_pss_mb=median(peaks),
        grown_by_mb=median(peaks) - before,
    )
    report.at_most("ready, seconds (median)", median(ready), READY_SECONDS)
    report.at_most("idle, MB (PSS of all its processes, the broker's too)", before, IDLE_MB)
    report.at_most("a sweep's peak over idle, MB", median(peaks) - before, arguments.budget * 2**20 / 1e6)
    report.remark("ready: from starting the process to its ready line, after every service is; MB are 10^6 bytes")
    report.remark(
        f"the sweep: {arguments.sets} sets, n={arguments.qubits}, {SHOTS} shots, counts; budget {arguments.budget} MiB"
    )
    report.raw.update(ready=ready, idle=idle, peaks=peaks)
    report.finish()


def peak_of_a_sweep(pid: int, url: str, qubits: int, sets: int) -> float:
    """The largest PSS, in MB, that was seen while a sweep ran twice; the second has everything imported."""
    seen, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            seen.append(memory_mb(pid)["pss"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with Client(url) as client:
            ansatz = qaoa(qubits)
            for seed in (1, 2):
                document = {"kind": "sample", "program": ansatz.qasm(measured=True), "shots": SHOTS}
                client.submit({**document, "parameters": ansatz.draw(sets, seed).tolist()}).result(timeout=600)
    finally:
        over.set()
        watcher.join()
    return max(seen)


if __name__ == "__main__":
    main()
