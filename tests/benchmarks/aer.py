"""Qiskit Aer called by hand, as well as one can, and as most programs call it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from circuits import Ansatz
from measure import median, timed
from numpy.typing import NDArray
from qiskit import transpile
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import EstimatorV2, SamplerV2

Options = dict[str, Any]


def settings_tried() -> list[Options]:
    """Thread settings worth trying: one thread, all cores for the rows, all cores for each state."""
    cores = os.cpu_count() or 1
    one = {"max_parallel_threads": 1}
    rows = {"max_parallel_threads": cores, "max_parallel_experiments": cores}
    states = {"max_parallel_threads": cores, "max_parallel_experiments": 1}
    return [
        {"method": "statevector", "runtime_parameter_bind_enable": True, **threads} for threads in (one, rows, states)
    ]


def best_settings(
    make: Callable[[Options], Callable[[NDArray[np.float64]], Any]], sets: NDArray[np.float64]
) -> Options:
    """The settings that run a few parameter sets fastest."""
    seconds = []
    for options in settings_tried():
        run = make(options)
        run(sets[:4])
        seconds.append(median([timed(lambda run=run: run(sets)) for _ in range(3)]))  # type: ignore[misc]
    return settings_tried()[int(np.argmin(seconds))]


def sampler(ansatz: Ansatz, shots: int) -> Callable[[Options], Callable[[NDArray[np.float64]], Any]]:
    """Settings to a function that samples parameter sets in one PUB of a circuit that was transpiled once."""

    def make(options: Options) -> Callable[[NDArray[np.float64]], Any]:
        circuit = transpile(ansatz.circuit(measured=True), AerSimulator(**options), optimization_level=1)
        primitive = SamplerV2(options={"backend_options": options})
        return lambda sets: primitive.run([(circuit, sets)], shots=shots).result()[0].data.meas

    return make


def estimator(ansatz: Ansatz) -> Callable[[Options], Callable[[NDArray[np.float64]], Any]]:
    """Settings to a function that gives exact expectation values of parameter sets in one PUB."""

    def make(options: Options) -> Callable[[NDArray[np.float64]], Any]:
        circuit = transpile(ansatz.circuit(measured=False), AerSimulator(**options), optimization_level=1)
        circuit.global_phase = 0
        primitive = EstimatorV2(options={"backend_options": options})
        return lambda sets: primitive.run([(circuit, ansatz.observable, sets)], precision=0).result()[0].data.evs

    return make


def usual_loop(ansatz: Ansatz, shots: int) -> Callable[[NDArray[np.float64]], Any]:
    """Assign, transpile, run, for each parameter set: what programs do that know no better."""
    circuit, backend = ansatz.circuit(measured=True), AerSimulator(method="statevector")

    def run(sets: NDArray[np.float64]) -> list[dict[str, int]]:
        return [
            backend.run(transpile(circuit.assign_parameters(values), backend), shots=shots).result().get_counts()
            for values in sets
        ]

    return run
