"""The Braket adapter: the executor's laws on both local simulators, and agreement with Aer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import expectation, group, normalise
from quire_quantum.structure import GATES, Angle, Operation, Structure
from quire_quantum_gateway.providers.braket_provider import braket_provider
from quire_quantum_gateway.providers.port import ProviderExecutor
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import TURN_MEASURED, ExecutorSuite, check_gate, measure

NOTHING = np.zeros((1, 0))
PROVIDER = braket_provider(("*",), 24, SystemClock())


class TestStateVector(ExecutorSuite):
    @pytest.fixture
    def executor(self):
        return ProviderExecutor(PROVIDER, "local")


class TestDensityMatrix(ExecutorSuite):
    @pytest.fixture
    def executor(self):
        return ProviderExecutor(PROVIDER, "local_dm")


@pytest.mark.parametrize("backend", ["local", "local_dm"])
@pytest.mark.parametrize("qubit", [0, 1, 2, 3])
def test_a_qubit_stands_where_qiskit_puts_it_also_among_idle_ones(backend, qubit):
    structure = Structure(4, 4, 0, (Operation("x", (qubit,)), *(measure(each, each) for each in range(4))))
    outcome = ProviderExecutor(PROVIDER, backend).execute(Work(structure, (Member(NOTHING, 1),), 20))
    assert unpack(outcome.members[0].counts) == [{"0" * (3 - qubit) + "1" + "0" * qubit: 20}]


def test_a_circuit_without_gates_reads_zeros():
    structure = Structure(2, 2, 0, (measure(0, 0), measure(1, 1)))
    outcome = ProviderExecutor(PROVIDER, "local").execute(Work(structure, (Member(NOTHING, 1),), 20))
    assert unpack(outcome.members[0].counts) == [{"00": 20}]


@pytest.mark.parametrize("name", GATES)
def test_every_gate_means_the_same_as_its_matrix(name):
    check_gate(ProviderExecutor(PROVIDER, "local"), name)


@settings(max_examples=10)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True))
def test_parsing_once_gives_what_parsing_every_time_gives(qubits):
    """The bound circuit against Braket's own way with the same program and inputs."""
    from braket.devices import LocalSimulator
    from braket.ir.openqasm import Program

    from quire_quantum.braket_program import to_braket

    operations = [Operation("ry", (qubit,), (Angle(0, 2.0, 0.1 * qubit),)) for qubit in qubits]
    structure = Structure(3, 0, 1, tuple(operations))
    labels = ["IIZ", "IZI", "ZII"]
    program = to_braket(structure, labels)
    theirs = LocalSimulator().run(Program(source=program.source, inputs={"p0": 0.7}), shots=0).result().values
    observables = tuple(normalise({label: 1.0}, 3) for label in labels)
    ours = ProviderExecutor(PROVIDER, "local").execute(Work(structure, (Member(np.array([[0.7]])),), None, observables))
    np.testing.assert_allclose(ours.members[0].values[0], theirs, atol=1e-12)


@pytest.mark.parametrize(
    "operations",
    [
        (measure(0, 0), Operation("x", (0,))),
        (Operation("reset", (0,)), measure(0, 0)),
    ],
)
def test_what_braket_devices_do_not_take_is_refused(operations):
    with pytest.raises(Permanent) as caught:
        ProviderExecutor(PROVIDER, "local").execute(Work(Structure(1, 1, 0, operations), (Member(NOTHING),), 10))
    assert (caught.value.kind, caught.value.code) == ("invalid", "unsupported-circuit")


def test_a_density_matrix_is_no_wider_than_13_qubits():
    with pytest.raises(Permanent, match="unsupported-width"):
        ProviderExecutor(PROVIDER, "local_dm").execute(
            Work(Structure(14, 1, 0, (measure(0, 0),)), (Member(NOTHING),), 1)
        )


def test_a_program_is_parsed_once_whatever_its_angles():
    executor = ProviderExecutor(PROVIDER, "local")
    structure = TURN_MEASURED.with_operations((Operation("s", (0,)), *TURN_MEASURED.operations))
    first = executor.execute(Work(structure, (Member(np.array([[0.3]]), 1),), 10)).execution
    again = executor.execute(Work(structure, (Member(np.array([[0.4], [0.5]]), 2),), 10)).execution
    assert (first.compile_cached, again.compile_cached) == (False, True)
    assert (again.compiled_depth, again.two_qubit_gates, again.calibration_id) == (2, 0, "none")


def test_an_unknown_backend_is_refused():
    with pytest.raises(Permanent, match="unsupported-target"):
        PROVIDER.capabilities("sv1")


def test_more_than_64_bits():
    structure = Structure(2, 70, 0, (Operation("x", (0,)), measure(0, 69), measure(1, 0)))
    outcome = ProviderExecutor(PROVIDER, "local").execute(Work(structure, (Member(NOTHING, 1),), 5))
    assert unpack(outcome.members[0].counts) == [{"1" + "0" * 69: 5}]


class TestProgramSets:
    """Work that goes out as program sets, here of at most three executables."""

    @pytest.fixture
    def tasks(self, monkeypatch):
        """What the device was given."""
        from braket.devices import LocalSimulator

        given, original = [], LocalSimulator.run

        def run(self, program_set, *args, **options):
            given.append(program_set.total_executables)
            return original(self, program_set, *args, **options)

        monkeypatch.setattr(LocalSimulator, "run", run)
        return given

    @pytest.fixture
    def provider(self):
        return braket_provider(("*",), 24, SystemClock(), sets={"local": 3})

    def test_rows_of_all_members_share_sets_and_keep_their_places(self, provider, tasks):
        members = (Member(np.array([[0.0], [np.pi]])), Member(np.array([[np.pi], [0.0], [0.0]])))
        structure = TURN_MEASURED.with_operations((Operation("ry", (0,), (Angle(0),)), measure(0, 1)), num_bits=2)
        outcome = ProviderExecutor(provider, "local").execute(Work(structure, members, 20))
        found = [unpack(each.counts) for each in outcome.members]
        assert found == [[{"00": 20}, {"10": 20}], [{"10": 20}, {"00": 20}, {"00": 20}]]
        assert tasks == [3, 2]
        assert outcome.execution.provider_metadata["program_sets"] == 2
        assert outcome.execution.provider_metadata["executables"] == 5

    def test_measurement_bases_are_programs_of_the_same_sets(self, provider, tasks):
        plus = Structure(2, 0, 0, (Operation("h", (0,)), Operation("x", (1,))))
        observables = (normalise({"IX": 1.0, "ZI": 1.0}, 2), normalise({"IZ": 1.0}, 2))
        work = Work(plus, (Member(np.zeros((2, 0))),), 30, observables)
        counts = ProviderExecutor(provider, "local").execute(work).members[0].counts
        values, _ = expectation(counts, observables, group(observables))
        assert values[:, 0].tolist() == [0.0, 0.0]
        assert tasks == [3, 1]

    def test_they_take_no_seed_and_no_exact_work(self, provider):
        assert provider.identity("local") is None
        assert provider.identity("local_dm") is not None
        assert not provider.capabilities("local").exact
