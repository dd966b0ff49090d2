"""The Qiskit adapter: the executor's laws on an ideal machine and on a noisy stand-in, and what is said of a run."""

import numpy as np
import pytest

from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import normalise
from quire_quantum.structure import GATES, Angle, Operation, Structure
from quire_quantum_gateway.providers.port import ProviderExecutor
from quire_quantum_gateway.providers.qiskit_provider import MachineSettings, qiskit_provider
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import BELL, FLIP, PAIR, TURN_MEASURED, ExecutorSuite, measure

NOTHING = np.zeros((1, 0))


@pytest.fixture(scope="module")
def provider():
    return qiskit_provider(("aer", "fake_manila", "generic_*"), MachineSettings(), SystemClock())


class TestIdeal(ExecutorSuite):
    @pytest.fixture
    def executor(self, provider):
        return ProviderExecutor(provider, "aer")


class TestNoisyStandIn(ExecutorSuite):
    tolerance = 60.0

    @pytest.fixture
    def executor(self, provider):
        return ProviderExecutor(provider, "fake_manila")

    # Noise puts shots on outcomes that an ideal machine never gives; what must hold is said below instead.
    test_bell_gives_equal_halves_and_nothing_else = None
    test_qubit_0_is_the_right_most_bit = None
    test_bits_follow_the_classical_register_not_the_qubits = None
    test_an_unmeasured_bit_reads_zero = None
    test_each_parameter_set_is_a_row_in_order = None
    test_terms_that_do_not_commute_are_estimated_within_their_errors = None

    def test_a_flip_is_mostly_read_as_one_on_the_right(self, executor):
        (counts,) = unpack(executor.execute(Work(FLIP, (Member(NOTHING, 7),), 1000)).members[0].counts)
        assert max(counts, key=counts.get) == "01"
        assert 700 < counts["01"] < 1000

    def test_bell_halves_survive_the_noise(self, executor):
        (counts,) = unpack(executor.execute(Work(BELL, (Member(NOTHING, 7),), 4000)).members[0].counts)
        assert counts["00"] + counts["11"] > 3200
        assert counts["01"] + counts["10"] > 20

    def test_exact_values_are_refused_so_that_the_work_goes_elsewhere(self, executor):
        work = Work(PAIR, (Member(np.array([[0.4]])),), None, (normalise({"ZZ": 1.0}, 2),))
        with pytest.raises(Permanent) as caught:
            executor.execute(work)
        assert (caught.value.kind, caught.value.code) == ("invalid", "unsupported-exact")

    def test_the_calibration_is_the_date_of_the_properties(self, executor):
        execution = executor.execute(Work(FLIP, (Member(NOTHING, 7),), 10)).execution
        assert execution.calibration_id.startswith("2024-05-27T15:27:23")
        assert execution.backend == "fake_manila"
        assert execution.provider_metadata["noise"] is True

    def test_a_circuit_that_is_too_wide_is_refused(self, executor):
        work = Work(Structure(6, 1, 0, (measure(0, 0),)), (Member(NOTHING),), 10)
        with pytest.raises(Permanent) as caught:
            executor.execute(work)
        assert (caught.value.kind, caught.value.code) == ("invalid", "unsupported-width")


def test_a_generic_backend_is_a_noisy_stand_in_too(provider):
    outcome = ProviderExecutor(provider, "generic_3").execute(Work(FLIP, (Member(NOTHING, 7),), 500))
    (counts,) = unpack(outcome.members[0].counts)
    assert max(counts, key=counts.get) == "01"
    assert outcome.execution.calibration_id == "generic-seed-2023"


def test_every_gate_runs_with_each_rows_own_angles(provider):
    """The state after each gate against its matrix, two rows: a binding that is left out would show."""
    from quire_quantum.fake_executor import FakeExecutor

    rows = np.array([[0.1, 0.2, 0.3], [1.7, 0.8, -2.9]])
    for name, shape in GATES.items():
        angles = tuple(Angle(index, 2.0, 0.3) for index in range(shape.angles))
        spread = [Operation("ry", (qubit,), (Angle(0, 0.5, 0.4 + qubit),)) for qubit in range(3)]
        turned = [Operation("h", (qubit,)) for qubit in range(3)] + [Operation("t", (1,))]
        structure = Structure(3, 0, 3, (*turned, *spread, Operation(name, tuple(range(shape.qubits)), angles), *turned))
        observables = tuple(normalise({label: 1.0}, 3) for label in ("IIZ", "IZI", "XII", "YXI", "ZZY"))
        work = Work(structure, (Member(rows),), None, observables)
        ours = ProviderExecutor(provider, "aer").execute(work).members[0].values
        np.testing.assert_allclose(ours, FakeExecutor().execute(work).members[0].values, atol=1e-9, err_msg=name)


def test_a_noisy_circuit_is_measured_after_routing():
    """Its five qubits are within the limit of the device and above that of noise."""
    provider = qiskit_provider(("*",), MachineSettings(max_noisy_qubits=3), SystemClock())
    star = tuple(Operation("cx", (0, leaf)) for leaf in range(1, 5))
    structure = Structure(5, 1, 0, (*star, measure(0, 0)))
    with pytest.raises(Permanent, match="unsupported-width"):
        ProviderExecutor(provider, "fake_manila").execute(Work(structure, (Member(NOTHING, 1),), 10))


def test_a_structure_is_compiled_once_whatever_its_angles(provider):
    executor = ProviderExecutor(provider, "aer")
    structure = TURN_MEASURED.with_operations((Operation("s", (0,)), *TURN_MEASURED.operations))
    first = executor.execute(Work(structure, (Member(np.array([[0.3]]), 1),), 10)).execution
    again = executor.execute(Work(structure, (Member(np.array([[0.4], [0.5]]), 2),), 10)).execution
    assert (first.compile_cached, again.compile_cached) == (False, True)
    assert again.compiled_depth == first.compiled_depth == 3
    assert again.two_qubit_gates == 0


def test_a_reset_is_averaged_over_in_exact_values(provider):
    structure = Structure(1, 0, 0, (Operation("h", (0,)), Operation("reset", (0,)), Operation("x", (0,))))
    work = Work(structure, (Member(NOTHING),), None, (normalise({"Z": 1.0}, 1),))
    assert ProviderExecutor(provider, "aer").execute(work).members[0].values.tolist() == [[-1.0]]


def test_a_measurement_in_the_middle_is_kept(provider):
    structure = Structure(1, 2, 0, (Operation("x", (0,)), measure(0, 0), Operation("x", (0,)), measure(0, 1)))
    outcome = ProviderExecutor(provider, "aer").execute(Work(structure, (Member(NOTHING, 1),), 50))
    assert unpack(outcome.members[0].counts) == [{"01": 50}]


def test_more_than_64_bits(provider):
    structure = Structure(2, 70, 0, (Operation("x", (0,)), measure(0, 69), measure(1, 0)))
    outcome = ProviderExecutor(provider, "aer").execute(Work(structure, (Member(NOTHING, 1),), 5))
    assert unpack(outcome.members[0].counts) == [{"1" + "0" * 69: 5}]


@pytest.mark.parametrize("name", ["fake_nowhere", "nothing", "generic_0"])
def test_an_unknown_backend_is_refused(name):
    provider = qiskit_provider(("*",), MachineSettings(), SystemClock())
    with pytest.raises(Permanent) as caught:
        provider.capabilities(name)
    assert (caught.value.kind, caught.value.code) == ("invalid", "unsupported-target")


def test_a_backend_that_is_not_enabled_is_refused(provider):
    with pytest.raises(Permanent, match="unsupported-target"):
        provider.capabilities("fake_brisbane")


def test_discovery_names_the_enabled_backends(provider):
    found = {capabilities.target: capabilities for capabilities in provider.discover()}
    assert found["qiskit:aer"].exact
    assert not found["qiskit:fake_manila"].exact
    assert found["qiskit:fake_manila"].max_qubits == 5
