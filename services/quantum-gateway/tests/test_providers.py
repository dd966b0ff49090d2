"""What both adapters owe the gateway: every foreign error classed, jobs kept, compilations kept, one SDK is enough."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from quire_plane.compile_cache import CompileCache, CompileKey
from quire_quantum.executor import Member, MemberOutcome, Outcome, Work
from quire_quantum.observables import normalise
from quire_quantum.structure import Angle, Operation, Structure
from quire_quantum_gateway.catalog import enabled, find, open_catalog
from quire_quantum_gateway.providers.local_jobs import LocalJobs
from quire_quantum_gateway.providers.port import ProviderExecutor
from quire_quantum_gateway.settings import Settings
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import TURN_MEASURED


def outcome(number):
    return Outcome((MemberOutcome(values=np.full((1, 1), number)),), execution=None)


def test_a_token_is_one_job_that_runs_once():
    jobs, runs = LocalJobs(), []
    first = jobs.accept("t", lambda: runs.append(1) or outcome(1))
    again = jobs.accept("t", lambda: runs.append(2) or outcome(2))
    assert first == again
    assert jobs.status(first) == "queued"
    assert jobs.result(first) is jobs.result(first)
    assert (runs, jobs.status(first)) == ([1], "done")


def test_a_cancelled_job_does_not_run():
    jobs = LocalJobs()
    job = jobs.accept("t", lambda: pytest.fail("it ran"))
    jobs.cancel(job)
    assert jobs.status(job) == "cancelled"
    with pytest.raises(Permanent, match="cancelled"):
        jobs.result(job)


def test_a_job_that_fails_fails_for_everybody_and_is_remembered():
    jobs = LocalJobs()
    job = jobs.accept("t", lambda: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            jobs.result(job)
    assert jobs.status(job) == "failed"


def test_old_jobs_are_forgotten_and_then_unknown():
    jobs = LocalJobs(keep=2)
    made = [jobs.accept(str(number), lambda number=number: outcome(number)) for number in range(4)]
    for job in made:
        jobs.result(job)
    assert [jobs.status(job) for job in made] == ["unknown", "unknown", "done", "done"]
    with pytest.raises(LookupError):
        jobs.result(made[0])


def key(name, calibration="c1"):
    return CompileKey(name, "backend", "level=1", calibration)


def test_the_least_recently_used_compilation_goes_first():
    cache, made = CompileCache(2), []

    def get(name, calibration="c1"):
        return cache.get(key(name, calibration), lambda: made.append((name, calibration)) or name)

    assert get("a") == ("a", False)
    get("b")
    assert get("a") == ("a", True)
    get("c")
    assert get("b") == ("b", False)
    assert len(cache) == 2


def test_a_new_calibration_is_compiled_for():
    cache = CompileCache(8)
    assert cache.get(key("a"), lambda: "old") == ("old", False)
    assert cache.get(key("a", "c2"), lambda: "new") == ("new", False)


def test_compilations_age(clock):
    cache, made = CompileCache(8, clock=clock, max_age=60.0), iter("ab")
    assert cache.get(key("x"), lambda: next(made)) == ("a", False)
    clock.advance(60.0)
    assert cache.get(key("x"), lambda: next(made)) == ("a", True)
    clock.advance(1.0)
    assert cache.get(key("x"), lambda: next(made)) == ("b", False)


def test_compilations_are_bounded_by_what_they_weigh():
    cache = CompileCache(8, weigh=len, max_weight=10)
    for name in ("a" * 4, "b" * 4, "c" * 4):
        cache.get(key(name), lambda name=name: name)
    assert [cache.get(key(name), lambda: "again")[1] for name in ("b" * 4, "c" * 4)] == [True, True]
    assert len(cache) == 2
    cache.get(key("huge"), lambda: "h" * 100)
    assert (len(cache), cache.get(key("huge"), lambda: "again")[1]) == (1, True)


def test_what_is_stale_is_forgotten():
    cache = CompileCache(8)
    for name, calibration in (("a", "c1"), ("b", "c1"), ("a", "c2")):
        cache.get(key(name, calibration), lambda: "made")
    assert cache.forget(lambda each: each.calibration == "c1") == 2
    assert cache.get(key("a", "c2"), lambda: "again") == ("made", True)


def test_hits_and_misses_are_counted():
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    cache = CompileCache(8, meter=MeterProvider([reader]).get_meter("test"), name="qiskit")
    for name in "aaba":
        cache.get(key(name), lambda: "made")
    (scope,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
    points = {metric.name: metric.data.data_points for metric in scope.metrics}
    assert {point.attributes["found"]: point.value for point in points["quire.compilations"]} == {"hit": 2, "miss": 2}
    assert [point.value for point in points["quire.compilations.kept"]] == [2]


def test_a_failed_compilation_is_not_kept():
    cache = CompileCache(8)
    with pytest.raises(ZeroDivisionError):
        cache.get(key("a"), lambda: 1 / 0)
    assert cache.get(key("a"), lambda: "made") == ("made", False)


def test_two_threads_compile_one_structure_once():
    cache, made, begun, go = CompileCache(8), [], threading.Event(), threading.Event()

    def make():
        begun.set()
        go.wait(5)
        made.append(1)
        return "made"

    found = []
    first = threading.Thread(target=lambda: found.append(cache.get(key("a"), make)))
    first.start()
    begun.wait(5)
    second = threading.Thread(target=lambda: found.append(cache.get(key("a"), make)))
    second.start()
    go.set()
    first.join(5)
    second.join(5)
    assert made == [1]
    assert sorted(found) == [("made", False), ("made", True)]


def test_a_target_is_a_provider_and_a_backend():
    catalog = open_catalog(Settings(targets=("qiskit:aer", "qiskit:fake_*")), SystemClock())
    assert list(catalog) == ["qiskit"]
    assert find(catalog, "qiskit:aer") == (catalog["qiskit"], "aer")
    with pytest.raises(Permanent, match="unsupported-target"):
        find(catalog, "braket:local")
    assert enabled(("qiskit:aer", "braket:local"), "braket") == ("local",)


ALONE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.metadata as metadata
original = metadata.version
def version(name):
    if name.startswith({packages!r}):
        raise metadata.PackageNotFoundError(name)
    return original(name)
metadata.version = version
import numpy as np
from quire_quantum.executor import Member, Work
from quire_quantum.structure import Structure, Operation
from quire_quantum_gateway.catalog import find, open_catalog
from quire_quantum_gateway.providers.port import ProviderExecutor
from quire_quantum_gateway.settings import Settings
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
import quire_quantum_gateway.__main__
catalog = open_catalog(Settings(), SystemClock())
measured = tuple(Operation("measure", (qubit,), (), (qubit,)) for qubit in (0, 1))
work = Work(Structure(2, 2, 0, (Operation("x", (0,)), *measured)), (Member(np.zeros((1, 0)), 1),), 10)
for target in ("qiskit:aer", "braket:local"):
    try:
        outcome = ProviderExecutor(*find(catalog, target)).execute(work)
        print(target, outcome.members[0].counts.outcomes.tolist())
    except Permanent as error:
        print(target, error.kind, error.code)
"""


@pytest.mark.parametrize(
    ("absent", "packages", "expected"),
    [
        (
            {"qiskit", "qiskit_aer", "qiskit_ibm_runtime"},
            "qiskit",
            ["qiskit:aer offline provider-not-installed", "braket:local [[1]]"],
        ),
        ({"braket"}, "amazon-braket", ["qiskit:aer [[1]]", "braket:local offline provider-not-installed"]),
    ],
    ids=["braket alone", "qiskit alone"],
)
def test_each_adapter_can_be_the_only_one_installed(absent, packages, expected):
    script = ALONE.format(absent=absent, packages=packages)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.splitlines() == expected, done.stderr[-2000:]


@pytest.fixture(scope="module")
def executors():
    catalog = open_catalog(Settings(targets=("qiskit:aer", "braket:*")), SystemClock())
    return {name: ProviderExecutor(*find(catalog, name)) for name in ("qiskit:aer", "braket:local", "braket:local_dm")}


H2 = {
    "II": -1.052373245772859,
    "IZ": 0.39793742484318045,
    "ZI": -0.39793742484318045,
    "ZZ": -0.01128010425623538,
    "XX": 0.18093119978423156,
}
"""Molecular hydrogen at 0.735 angstrom, STO-3G, parity mapping, two qubits (Qiskit Nature's published coefficients)."""

ELECTRONIC_GROUND_STATE = -1.85727503
"""Its lowest eigenvalue, hartree; the nuclei repel each other by another 0.71996899."""


@pytest.mark.parametrize("target", ["qiskit:aer", "braket:local", "braket:local_dm"])
def test_the_energy_of_hydrogen_is_its_lowest_eigenvalue(executors, target):
    """x on qubit 0, then ry(theta) on 1 and a controlled flip span |01> and |10>, which holds the ground state."""
    ansatz = Structure(2, 0, 1, (Operation("ry", (1,), (Angle(0),)), Operation("x", (0,)), Operation("cx", (1, 0))))
    angles = np.linspace(-np.pi, np.pi, 721)[:, None]
    hamiltonian = np.zeros((4, 4))
    pauli = {"I": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Z": np.diag([1, -1])}
    for label, weight in H2.items():
        hamiltonian += weight * np.kron(pauli[label[0]], pauli[label[1]])
    lowest = np.linalg.eigvalsh(hamiltonian)[0]
    assert abs(lowest - ELECTRONIC_GROUND_STATE) < 1e-7
    states = np.stack([np.zeros(721), np.cos(angles[:, 0] / 2), np.sin(angles[:, 0] / 2), np.zeros(721)], axis=1)
    exact = np.einsum("ri,ij,rj->r", states, hamiltonian, states)
    chosen = angles[::20]
    work = Work(ansatz, (Member(chosen),), None, (normalise(H2, 2),))
    values = executors[target].execute(work).members[0].values[:, 0]
    np.testing.assert_allclose(values, exact[::20], atol=1e-9)
    best = angles[[np.argmin(exact)]]
    work = Work(ansatz, (Member(best),), None, (normalise(H2, 2),))
    assert abs(executors[target].execute(work).members[0].values[0, 0] - lowest) < 1e-5


def test_the_adapters_agree_on_a_deep_circuit(executors):
    rng = np.random.default_rng(5)
    operations = []
    for layer in range(4):
        operations += [Operation("ry", (qubit,), (Angle(layer * 8 + qubit),)) for qubit in range(4)]
        operations += [
            Operation("u", (qubit,), (Angle(layer * 8 + 4 + qubit), Angle(layer, 0.5), Angle(layer, -1.0, 0.3)))
            for qubit in range(4)
        ]
        operations += [
            Operation(name, pair, (Angle(layer * 8),))
            for name, pair in (("rzz", (0, 1)), ("crx", (1, 2)), ("cp", (3, 2)), ("rxx", (0, 3)))
        ]
        operations += [Operation("ccx", (0, 1, 3)), Operation("cswap", (2, 0, 3)), Operation("ch", (1, 3))]
    structure = Structure(4, 0, 32, tuple(operations))
    observables = (normalise({"ZZII": 1.0, "XIXI": -0.5, "IIII": 2.0}, 4), normalise({"YXZI": 0.7, "IIIY": 1.1}, 4))
    work = Work(structure, (Member(rng.normal(size=(3, 32))), Member(rng.normal(size=(2, 32)))), None, observables)
    found = {name: [each.values for each in executor.execute(work).members] for name, executor in executors.items()}
    for name in ("braket:local", "braket:local_dm"):
        for ours, theirs in zip(found["qiskit:aer"], found[name], strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert found["qiskit:aer"][0].shape == (3, 2)


@pytest.mark.parametrize("target", ["qiskit:aer", "braket:local"])
def test_seedless_members_draw_anew_each_time(executors, target):
    work = Work(TURN_MEASURED, (Member(np.array([[1.0]])), Member(np.array([[1.0], [1.0]]))), 2_000)
    first, second = (executors[target].execute(work) for _ in range(2))
    assert first.members[1].counts != second.members[1].counts
    assert [each.counts.shots.tolist() for each in first.members] == [[2_000], [2_000, 2_000]]
