"""The GPU back end: its kernels' arithmetic through a C++ compiler everywhere, and all of it where there is a GPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from quire_gpu_simulation.engine import gpu_device
from quire_gpu_simulation.engine.backend import Sweep
from quire_gpu_simulation.engine.compiled import Exchange, Permutation
from quire_gpu_simulation.engine.executor import EngineExecutor
from quire_gpu_simulation.engine.fusion import compile_structure
from quire_gpu_simulation.engine.gpu import GpuBackend, streams
from quire_gpu_simulation.engine.gpu_bench import measure
from quire_gpu_simulation.engine.gpu_device import find_device
from quire_gpu_simulation.engine.gpu_plan import plan
from quire_gpu_simulation.engine.gpu_source import GATHER, LOAD, PRODUCT
from quire_gpu_simulation.engine.readout import all_qubits
from quire_quantum.executor import Member, Work
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import expectation, group, normalise
from quire_quantum.structure import Angle, Operation, Structure
from quire_resilience.clock import SystemClock
from quire_testing.circuits import plain_state, random_structure
from quire_testing.executor_suite import ExecutorSuite
from quire_testing.executor_suite import measure as measured

_spec = importlib.util.spec_from_file_location("gpu_shim", Path(__file__).with_name("gpu_shim.py"))
gpu_shim = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(gpu_shim)

GPU = find_device()
needs_gpu = pytest.mark.skipif(GPU is None, reason="no GPU here, or no CuPy: the kernels ran on the processor only")
needs_compiler = pytest.mark.skipif(gpu_shim.COMPILER is None, reason="no C++ compiler: the kernels were not run")
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}
ROWS = np.array([[0.7, -1.9, 2.4], [0.1, 0.2, 0.3], [2.0, -0.4, 1.1]])


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Compiled once for the session."""
    return tmp_path_factory.mktemp("shim")


@pytest.fixture(params=[pytest.param("shim", marks=needs_compiler), pytest.param("gpu", marks=needs_gpu)])
def device(request, folder):
    return gpu_shim.ShimDevice(folder) if request.param == "shim" else GPU


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of 32 amplitudes, so that small circuits take many sweeps."""
    monkeypatch.setattr(gpu_device, "_TILE_BITS", {"float64": 5, "float32": 5})


def sweep(rows=ROWS):
    return Sweep(rows, np.zeros((len(rows), 2), np.uint64), np.zeros(len(rows), np.int64))


def probabilities(backend, structure, rows=ROWS):
    prepared = backend.prepare(compile_structure(structure), ())
    return backend.probabilities(prepared, all_qubits(structure.num_qubits), sweep(rows))


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_random_circuits_in_one_sweep(device, precision):
    generator, backend = np.random.default_rng(21), GpuBackend(device, precision)
    for _ in range(25):
        width = int(generator.integers(1, 8))
        structure = random_structure(generator, width, int(generator.integers(0, 50)))
        expected = [abs(plain_state(structure, row)) ** 2 for row in ROWS]
        np.testing.assert_allclose(probabilities(backend, structure), expected, atol=TOLERANCE[precision])


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.usefixtures("small_tiles")
def test_random_circuits_in_many_sweeps(device, precision):
    """Gates outside of the tile, maps that leave it, exchanges with a control outside."""
    generator, backend, modes = np.random.default_rng(22), GpuBackend(device, precision), set()
    for _ in range(25):
        structure = random_structure(generator, int(generator.integers(6, 9)), int(generator.integers(20, 50)))
        compiled = compile_structure(structure)
        modes |= {each.mode for each in plan(compiled, 5, structure.num_qubits).sweeps}
        expected = [abs(plain_state(structure, row)) ** 2 for row in ROWS]
        np.testing.assert_allclose(probabilities(backend, structure), expected, atol=TOLERANCE[precision])
    assert modes == {LOAD, PRODUCT, GATHER}


@needs_compiler
@pytest.mark.usefixtures("small_tiles")
def test_no_result_hangs_on_the_order_of_threads(folder):
    generator = np.random.default_rng(23)
    for _ in range(6):
        structure = random_structure(generator, 7, 40)
        one, other = (
            probabilities(GpuBackend(gpu_shim.ShimDevice(folder, backwards=each)), structure) for each in (False, True)
        )
        assert np.array_equal(one, other)


class TestThroughTheCompiler(ExecutorSuite):
    """The port's laws: counts, exact values, bases."""

    @pytest.fixture
    def executor(self, folder):
        if gpu_shim.COMPILER is None:
            pytest.skip("no C++ compiler: the kernels were not run")
        return EngineExecutor(GpuBackend(gpu_shim.ShimDevice(folder)), SystemClock())


class TestOnAGpu(ExecutorSuite):
    """The same on a card."""

    @pytest.fixture
    def executor(self):
        if GPU is None:
            pytest.skip("no GPU here, or no CuPy")
        return EngineExecutor(GpuBackend(GPU), SystemClock())


OBSERVABLES = (
    normalise({"ZZIIII": 1.0, "IXYIIZ": 0.5, "IIIIII": 2.0}, 6),
    normalise({"YYIIII": -0.25, "IIIZIZ": 1.5, "XIIIIX": 1.0}, 6),
)


def chain(layers=2):
    layer = [Operation("ry", (qubit,), (Angle(0, 1.0, 0.3 * qubit),)) for qubit in range(6)]
    layer += [Operation("rzz", (qubit, qubit + 1), (Angle(1),)) for qubit in range(5)]
    layer += [Operation("cx", (5, 0)), Operation("rx", (2,), (Angle(2),))]
    return Structure(6, 0, 3, tuple(layer * layers))


@pytest.mark.usefixtures("small_tiles")
def test_exact_values_and_estimates(device):
    executor = EngineExecutor(GpuBackend(device), SystemClock())
    exact = Work(chain(), (Member(ROWS),), None, OBSERVABLES)
    values = executor.execute(exact).members[0].values
    np.testing.assert_allclose(values, FakeExecutor().execute(exact).members[0].values, atol=1e-10)
    counted = executor.execute(Work(chain(), (Member(ROWS, 5),), 3_000, OBSERVABLES)).members[0]
    reduced = executor.execute(Work(chain(), (Member(ROWS, 5),), 3_000, OBSERVABLES, reduced=True)).members[0]
    expected, errors = expectation(counted.counts, OBSERVABLES, group(OBSERVABLES))
    np.testing.assert_allclose(reduced.values, expected, atol=1e-12)
    np.testing.assert_allclose(reduced.std_errors, errors, atol=1e-12)
    assert np.all(np.abs(reduced.values - values) < 5 * errors)


def test_slices_of_the_batch_change_nothing(device):
    """Memory for two rows at a time."""
    backend = GpuBackend(device)
    needed = backend.needed(backend.prepare(compile_structure(chain()), ()))
    rows = np.random.default_rng(1).uniform(-2, 2, (7, 3))
    work = Work(chain(), (Member(rows[:3], 1), Member(rows[3:], 2)), 500, OBSERVABLES)
    whole, cut = (
        EngineExecutor(GpuBackend(device, memory_bytes=memory), SystemClock()).execute(work).members
        for memory in (2**28, 2 * needed)
    )
    assert [each.counts for each in whole] == [each.counts for each in cut]


def test_bits_follow_the_register(device):
    """Qubit 0 into bit 2, qubit 3 into bit 9: the others read 0."""
    turns = (Operation("x", (0,)), Operation("ry", (3,), (Angle(0),)))
    structure = Structure(5, 10, 1, (*turns, measured(0, 2), measured(3, 9)))
    work = Work(structure, (Member(np.array([[np.pi], [1.0]]), 4),), 400)
    counts = EngineExecutor(GpuBackend(device), SystemClock()).execute(work).members[0].counts
    first, second = (
        set(counts.words()[a:b, 0].tolist()) for a, b in zip(counts.offsets, counts.offsets[1:], strict=False)
    )
    assert (first, second) == ({0b1000000100}, {0b0000000100, 0b1000000100})
    expected = 400 * np.sin(0.5) ** 2
    assert abs(int(counts.tallies[-1]) - expected) < 5 * np.sqrt(expected)


def test_streams_are_the_processors():
    """SplitMix64's mixing of key, row and circuit, once more in whole numbers."""

    def mixed(z):
        for by, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z = (z ^ (z >> by)) * factor % 2**64
        return z ^ (z >> 31)

    def one(key, row, circuit):
        golden, words = 0x9E3779B97F4A7C15, []
        for word, times in zip(key, (1, 2), strict=True):
            z = mixed((mixed(mixed((word + times * golden) % 2**64) ^ row) + golden) % 2**64 ^ circuit)
            words += [mixed((z + golden) % 2**64), mixed((z + 2 * golden) % 2**64)]
        return words

    keys = np.random.default_rng(3).integers(0, 2**63, (4, 2)).astype(np.uint64)
    places = np.array([0, 1, 7, 2**40])
    expected = [one(key, row, 5) for key, row in zip(keys.tolist(), places.tolist(), strict=True)]
    assert streams(keys, places, 5).tolist() == expected


def test_a_circuit_of_a_tile_is_one_sweep_and_a_wider_one_few():
    structure = chain(3)
    assert [each.mode for each in plan(compile_structure(structure), 6, 6).sweeps] == [PRODUCT]
    turns = [Operation("rx", (qubit,), (Angle(0),)) for qubit in range(16)]
    pairs = [Operation("rzz", (qubit, (qubit + 1) % 16), (Angle(1),)) for qubit in range(16)]
    wide = Structure(16, 0, 2, tuple([*turns, *pairs] * 4))
    sweeps = plan(compile_structure(wide), 11, 16).sweeps
    assert [each.mode for each in sweeps] == [PRODUCT, LOAD, LOAD, LOAD]
    assert all(each.qubits[:4] == (0, 1, 2, 3) and sorted(each.qubits) == list(range(16)) for each in sweeps)


def test_the_plan_keeps_what_a_tile_can_hold_inside():
    compiled = compile_structure(Structure(8, 0, 0, (Operation("h", (0,)), Operation("cx", (0, 1)))))
    assert any(isinstance(each, Permutation) for each in compiled.passes)
    assert [each.mode for each in plan(compiled, 5, 8).sweeps] == [PRODUCT]
    far = compile_structure(
        Structure(8, 0, 0, (Operation("h", (0,)), Operation("h", (1,)), Operation("ccx", (0, 1, 7))))
    )
    assert any(isinstance(each, Exchange) for each in far.passes)
    sweeps = plan(far, 5, 8).sweeps
    assert [each.mode for each in sweeps] == [PRODUCT, LOAD]
    assert 7 in sweeps[1].qubits[:5]


def test_without_a_gpu_the_benchmark_says_so():
    found = measure(chain(), ROWS, SystemClock())
    assert (found is None) == (GPU is None)
    if found is not None:
        assert 0 < found.share_of_bandwidth < 1.2
