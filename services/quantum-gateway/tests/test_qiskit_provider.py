"""The Qiskit adapter: the executor's laws on an ideal machine and on a noisy stand-in, and what is said of a run."""

import numpy as np
import pytest

from quire_contracts.mitigation import Mitigation, Zne
from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import normalise
from quire_quantum.structure import GATES, Angle, Operation, Structure
from quire_quantum_gateway.providers.port import ProviderExecutor
from quire_quantum_gateway.providers.qiskit_provider import MachineSettings, qiskit_provider
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import (
    BELL,
    CROSSED,
    FLIP,
    PAIR,
    TURN_MEASURED,
    ExecutorSuite,
    check_gate,
    measure,
)

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


@pytest.mark.parametrize("name", GATES)
def test_every_gate_runs_with_each_rows_own_angles(provider, name):
    check_gate(ProviderExecutor(provider, "aer"), name)


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


def test_noise_cut_down_to_a_circuits_qubits_is_the_devices_noise(provider):
    """Chances from our density matrix against 50,000 of Aer's own shots with the whole noise model, bits crossed."""
    from qiskit import transpile
    from qiskit_aer import AerSimulator
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    from quire_quantum.qiskit_circuit import to_circuit

    gates = (Operation("h", (0,)), Operation("cx", (0, 1)), Operation("ry", (2,), (Angle(0),)), Operation("cx", (1, 2)))
    structure = Structure(3, 3, 1, (*gates, measure(0, 2), measure(1, 0), measure(2, 1)))
    shots = 50_000
    work = Work(structure, (Member(np.array([[0.7]]), 5),), shots)
    (ours,) = unpack(ProviderExecutor(provider, "fake_manila").execute(work).members[0].counts)
    theirs = AerSimulator.from_backend(FakeManilaV2(), seed_simulator=3)
    circuit = transpile(to_circuit(structure).assign_parameters([0.7]), theirs, optimization_level=1, seed_transpiler=7)
    expected = theirs.run(circuit, shots=shots).result().get_counts()
    assert set(ours) == set(expected)
    for outcome, tally in expected.items():
        assert abs(ours[outcome] - tally) < 6 * np.sqrt(2 * tally), outcome


def test_read_out_errors_mix_the_outcomes_of_their_qubit():
    from quire_quantum_gateway.providers.qiskit_noise import read_with_errors

    basis = np.zeros(8)
    basis[0b011] = 1.0
    chances = {1: np.array([[0.9, 0.1], [0.3, 0.7]]), 2: np.array([[0.8, 0.2], [0.4, 0.6]])}
    read = read_with_errors(basis, chances)
    expected = {0b011: 0.7 * 0.8, 0b001: 0.3 * 0.8, 0b111: 0.7 * 0.2, 0b101: 0.3 * 0.2}
    np.testing.assert_allclose(read, [expected.get(index, 0.0) for index in range(8)])


def test_idle_qubits_of_a_device_are_not_simulated():
    from quire_quantum_gateway.providers.qiskit_compiled import compile_structure
    from quire_quantum_gateway.providers.qiskit_machines import open_machine
    from quire_quantum_gateway.providers.qiskit_runs import samples_probabilities

    machine = open_machine("generic_6", MachineSettings())
    compiled = compile_structure(machine, BELL)
    assert (compiled.routed.num_qubits, compiled.circuit.num_qubits, len(compiled.qubits)) == (6, 2, 2)
    assert compiled.head.num_qubits == 2
    assert [samples_probabilities(compiled, shots, noisy=True) for shots in (1, 2, 100)] == [False, True, True]
    assert samples_probabilities(compiled, 1, noisy=False)
    again = BELL.with_operations((*BELL.operations, Operation("x", (0,))))
    assert not samples_probabilities(compile_structure(machine, again), 100, noisy=True)
    model = machine.noise_of(compiled.used, compiled.qubits)
    assert max(max(each["gate_qubits"][0]) for each in model.to_dict()["errors"]) <= 1
    assert machine.noise_of(compiled.used, compiled.qubits) is model


@pytest.mark.parametrize("name", ["aer", "fake_manila"])
def test_shots_that_must_be_followed_depend_on_their_member_alone(provider, name):
    """A reset on the way: Aer samples, and a seeded member is a run of its own."""
    gates = (Operation("ry", (0,), (Angle(0),)), Operation("reset", (0,)), Operation("ry", (0,), (Angle(0),)))
    structure = Structure(1, 1, 1, (*gates, measure(0, 0)))
    member, mate = Member(np.array([[0.9], [1.3]]), 11), Member(np.array([[2.0]]), 5)
    free = Member(np.array([[np.pi], [0.0]]), None)
    executor = ProviderExecutor(provider, name)
    alone = executor.execute(Work(structure, (member,), 300)).members[0].counts
    together = executor.execute(Work(structure, (mate, free, member), 300)).members
    assert together[2].counts == alone
    ones, zeros = unpack(together[1].counts)
    assert ones.get("1", 0) > 240
    assert zeros.get("0", 0) > 240


def test_a_row_does_not_depend_on_how_many_run_with_it(provider):
    """Fifteen qubits, where Aer fuses gates: alone it binds before fusing, in company while it runs."""
    layers = [Operation("ry", (qubit,), (Angle(qubit),)) for qubit in range(15)]
    chain = [Operation("rzz", (qubit, qubit + 1), (Angle(qubit, 0.7),)) for qubit in range(14)]
    structure = Structure(15, 0, 15, (*layers, *chain, *layers))
    rows = np.random.default_rng(3).normal(size=(3, 15))
    observables = (normalise({"X" + "I" * 13 + "Z": 1.0, "Z" * 15: 0.5}, 15),)
    executor = ProviderExecutor(provider, "aer")
    together = executor.execute(Work(structure, (Member(rows),), None, observables)).members[0].values
    alone = executor.execute(Work(structure, (Member(rows[1:2]),), None, observables)).members[0].values
    assert together[1].tolist() == alone[0].tolist()
    sampled = executor.execute(Work(structure, (Member(rows[:1], 1), Member(rows[1:2], 2)), 200, observables)).members
    assert executor.execute(Work(structure, (Member(rows[1:2], 2),), 200, observables)).members[0].counts == (
        sampled[1].counts
    )


def test_memory_cuts_a_sweep_without_changing_it(provider):
    small = qiskit_provider(("aer",), MachineSettings(memory_mib=0), SystemClock())
    work = Work(TURN_MEASURED, (Member(np.linspace(0, 3, 5)[:, None], 3),), 100)
    counts = [ProviderExecutor(each, "aer").execute(work).members[0].counts for each in (small, provider)]
    assert counts[0] == counts[1]


def test_backends_of_a_family_share_compilations_and_others_do_not():
    from qiskit.providers.fake_provider import GenericBackendV2

    from quire_quantum_gateway.providers.qiskit_machines import stand_in

    def open_as(name, **options):
        backend = GenericBackendV2(3, noise_info=True, **options)
        return stand_in(backend, name, MachineSettings(), lambda _: "monday")

    line = [[0, 1], [1, 0], [1, 2], [2, 1]]
    first, second, other = (open_as("a", seed=1), open_as("b", seed=2), open_as("c", seed=1, coupling_map=line))
    assert first.family == second.family != other.family
    assert not np.array_equal(first.noise.readout[0], second.noise.readout[0])


def test_a_calibration_makes_compilations_stale_and_answers_another_machines(monkeypatch):
    from quire_plane.compile_cache import CompileCache
    from quire_quantum_gateway.providers import qiskit_machines

    today = ["monday"]
    monkeypatch.setattr(qiskit_machines, "_calibration", lambda _: today[0])
    cache = CompileCache(8)
    provider = qiskit_provider(("fake_manila", "aer"), MachineSettings(), SystemClock(), cache)
    manila, ideal = (ProviderExecutor(provider, name) for name in ("fake_manila", "aer"))
    work = Work(FLIP, (Member(NOTHING, 7),), 10)
    assert provider.identity("fake_manila") is None
    monday = manila.execute(work).execution
    ideal.execute(work)
    before = provider.identity("fake_manila")
    assert (monday.calibration_id, provider.refresh(), len(cache)) == ("monday", [], 2)
    today[0] = "tuesday"
    assert provider.refresh() == ["fake_manila"]
    assert len(cache) == 1
    tuesday = manila.execute(work).execution
    assert (tuesday.calibration_id, tuesday.compile_cached) == ("tuesday", False)
    assert manila.execute(work).execution.compile_cached
    assert ideal.execute(work).execution.compile_cached
    assert provider.identity("fake_manila") != before


@pytest.fixture(scope="module")
def manila():
    from quire_quantum_gateway.providers.qiskit_machines import open_machine

    return open_machine("fake_manila", MachineSettings())


@pytest.fixture(scope="module")
def compiled(manila):
    from quire_quantum_gateway.providers.qiskit_compiled import compile_structure

    gates = [
        Operation("h", (0,)),
        Operation("cx", (0, 1)),
        Operation("ry", (1,), (Angle(0),)),
        Operation("cx", (1, 2)),
    ]
    return compile_structure(manila, Structure(3, 3, 1, (*gates, *(measure(each, each) for each in range(3)))))


class TestFolding:
    """What the compiler made, folded: the same circuit on the same qubits, with more of its gates."""

    def test_gates_with_errors_are_multiplied_and_nothing_else(self, compiled):
        from quire_quantum_gateway.providers.qiskit_compiled import scaled

        (plain, folded) = scaled([compiled], (1.0, 3.0))
        assert plain is compiled
        before, after = compiled.circuit.count_ops(), folded.circuit.count_ops()
        assert after["cx"] == 3 * before["cx"]
        assert after["sx"] + after.get("x", 0) == 3 * (before["sx"] + before.get("x", 0))
        assert after["measure"] == before["measure"]
        assert set(after) <= {"cx", "sx", "x", "rz", "measure"}  # only what the device has
        assert (folded.qubits, folded.read_from, folded.columns) == (plain.qubits, plain.read_from, plain.columns)

    def test_a_folded_circuit_does_the_same(self, compiled):
        from qiskit.quantum_info import Operator

        from quire_quantum_gateway.providers.qiskit_compiled import scaled

        (folded,) = scaled([compiled], (2.3,))
        bare = [each.circuit.remove_final_measurements(inplace=False) for each in (compiled, folded)]
        one, other = (Operator(each.assign_parameters([0.7])) for each in bare)
        assert one.equiv(other)
        assert len(folded.circuit.data) > len(compiled.circuit.data)

    def test_bits_say_which_qubits_they_were_read_from(self, compiled):
        layout = compiled.routed.layout.final_index_layout()
        assert list(compiled.read_from) == layout

    def test_placed_work_runs_where_it_is_put(self, provider):
        work = Work(CROSSED, (Member(NOTHING, 7),), 100, places=(3, 0, 1))
        outcome = provider.retrieve("fake_manila", work, provider.submit("fake_manila", work, "placed-1"))
        assert outcome.read_from == ((1, 3),)
        (counts,) = unpack(outcome.members[0].counts)
        assert max(counts, key=counts.get) == "10"

    def test_scales_are_rows_between_sets_and_groups(self, provider):
        observables = (normalise({"ZZ": 1.0}, 2), normalise({"XX": 1.0}, 2))
        mitigation = Mitigation(zne=Zne(scale_factors=(1.0, 3.0)))
        member = Member(np.array([[0.3], [0.9], [1.7]]), 7)
        work = Work(PAIR, (member,), 200, observables, reduced=True, mitigation=mitigation)
        outcome = provider.retrieve("fake_manila", work, provider.submit("fake_manila", work, "scales-1"))
        assert outcome.members[0].counts.rows == 3 * 2 * 2
        assert outcome.scales == (1.0, 3.0)
        plain = Work(PAIR, (member,), 200, observables)
        same = provider.retrieve("fake_manila", plain, provider.submit("fake_manila", plain, "scales-2"))
        rows = unpack(outcome.members[0].counts)
        assert [row for each in range(3) for row in rows[4 * each : 4 * each + 2]] == unpack(same.members[0].counts)

    def test_figures_are_the_medians_of_the_calibration(self, provider):
        provider.capabilities("fake_manila")
        figures = provider.snapshots()["fake_manila"].figures
        assert 0.005 < figures.two_qubit_error < 0.02
        assert 0.01 < figures.readout_error < 0.05
        assert 5e-5 < figures.t1_seconds < 5e-4
        assert "aer" not in provider.snapshots()
