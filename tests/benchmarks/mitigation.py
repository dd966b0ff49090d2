"""The error of observables on noisy stand-ins against an exact simulation, before and after mitigation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from circuits import Ansatz, efficient, qaoa
from house import started
from measure import Report, command_line, timed
from numpy.typing import NDArray

from quire.answer import JobView
from quire.client import Client

TARGETS = ("qiskit:fake_manila", "qiskit:fake_kolkata", "simulation:depolarizing")
READOUT: dict[str, Any] = {"method": "mthree"}
FACTORS = [1, 3, 5]
METHODS: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "readout": {"readout": READOUT},
    "linear": {"zne": {"scale_factors": FACTORS, "extrapolation": "linear"}},
    "richardson": {"zne": {"scale_factors": FACTORS, "extrapolation": "richardson"}},
    "exponential": {"zne": {"scale_factors": FACTORS, "extrapolation": "exponential"}},
    "readout+linear": {"readout": READOUT, "zne": {"scale_factors": FACTORS, "extrapolation": "linear"}},
    "readout+exponential": {"readout": READOUT, "zne": {"scale_factors": FACTORS, "extrapolation": "exponential"}},
}
BEST = "readout+exponential"
SHARE = 0.5
"""What may be left of the error where errors of reading and of gates are both mitigated."""


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    parser = command_line(__doc__ or "")
    parser.add_argument("--sets", type=int, default=10, help="random parameter sets of each circuit")
    parser.add_argument("--precision", type=float, default=0.003, help="standard error of each unit coefficient")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--targets", nargs="+", default=list(TARGETS))
    arguments = parser.parse_args(given)
    report, ansatze = Report("mitigation", arguments), (efficient(4, layers=3), qaoa(4))
    with started() as quire, Client(quire.http) as client:
        for ansatz in ansatze:
            rows = ansatz.draw(arguments.sets, arguments.seed)
            ideal = values_of(run(client, ansatz, rows, "simulation", None, 0.0, arguments.seed))
            for target in arguments.targets:
                compare(report, client, ansatz, rows, ideal, target, arguments)
    report.remark("error: mean of |value - exact| over parameter sets and observables; left: of the plain error")
    report.remark(
        "each ZZ of the ansatz (or of the cut's edges) is one observable; folded circuits have 1, 3, 5 times the gates"
    )
    report.finish()


def compare(
    report: Report,
    client: Client,
    ansatz: Ansatz,
    rows: NDArray[np.float64],
    ideal: NDArray[np.float64],
    target: str,
    arguments: Any,
) -> None:
    """A row for each method; what a target cannot do is left out."""
    errors: dict[str, float] = {}
    for method, mitigation in METHODS.items():
        if target.startswith("simulation") and mitigation is not None and "readout" in mitigation:
            continue  # mthree belongs to the gateway
        views: list[JobView] = []

        def once(mitigation: dict[str, Any] | None = mitigation, views: list[JobView] = views) -> None:
            views.append(run(client, ansatz, rows, target, mitigation, arguments.precision, arguments.seed))

        seconds = timed(once)
        (view,) = views
        if {each.target for each in view.executions} != {target}:
            raise RuntimeError(f"the work went elsewhere: {sorted({each.target for each in view.executions})}")
        apart = np.abs(values_of(view) - ideal)
        errors[method] = float(apart.mean())
        report.row(
            target=target,
            circuit=f"{ansatz.name}{ansatz.qubits}",
            method=method,
            error=errors[method],
            left=errors[method] / errors["plain"],
            worst=float(apart.max()),
            said_error=float(np.mean(view.std_errors)),
            seconds=seconds,
        )
    if BEST in errors:
        report.at_most(f"{target}, {ansatz.name}: error left by {BEST}", errors[BEST] / errors["plain"], SHARE)


def run(
    client: Client,
    ansatz: Ansatz,
    rows: NDArray[np.float64],
    target: str,
    mitigation: dict[str, Any] | None,
    precision: float,
    seed: int,
) -> JobView:
    """An estimate of each two-qubit term by itself."""
    document: dict[str, Any] = {
        "kind": "estimate",
        "program": ansatz.qasm(measured=False),
        "observables": [{label: 1.0} for label in ansatz.observable if label.strip("I")],
        "parameters": rows.tolist(),
        "precision": precision,
        "seed": seed,
        "targets": [target],
    }
    document |= {"mitigation": mitigation} if mitigation is not None else {}
    return client.submit(document).result(timeout=600)


def values_of(view: JobView) -> NDArray[np.float64]:
    """Values, float64 [parameter sets, observables]."""
    return np.array(view.values)


if __name__ == "__main__":
    main()
