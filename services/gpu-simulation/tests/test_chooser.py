"""Which simulator runs what: by the structure, the shots and the question, and by nothing else."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Statevector

from quire_gpu_simulation.budget import MemoryBudget
from quire_gpu_simulation.chooser import Powers, choose
from quire_gpu_simulation.facts import bond_bits, facts_of
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum.structure import Angle, Operation, Structure
from quire_resilience.errors import Permanent

POWERS = Powers(max_qubits=24, max_wide_qubits=200, memory_bytes=2**30)


def ghz(qubits):
    pairs = (Operation("cx", (qubit, qubit + 1)) for qubit in range(qubits - 1))
    return Structure(qubits, 0, 0, (Operation("h", (0,)), *pairs))


def ladder(qubits, layers, bits=0):
    """Turns and a line of couplings, so many times: each layer may double the rank of every cut."""
    layer = [Operation("ry", (qubit,), (Angle(0),)) for qubit in range(qubits)]
    layer += [Operation("cx", (qubit, qubit + 1)) for qubit in range(qubits - 1)]
    return Structure(qubits, bits, 1, tuple(layer * layers))


def chosen(structure, shots=1_000, *, observed=True, powers=POWERS):
    return choose(facts_of(structure, shots, observed=observed), shots, powers)


@pytest.mark.parametrize(
    ("structure", "method"),
    [
        (ghz(4), "engine"),
        (ghz(22), "stabilizer"),
        (ghz(150), "stabilizer"),
        (ladder(10, 3), "engine"),
        (ladder(24, 3), "engine"),
        (ladder(30, 3), "matrix_product_state"),
        (ladder(100, 6), "matrix_product_state"),
    ],
)
def test_the_quickest_that_fits(structure, method):
    assert chosen(structure).method == method


def test_without_the_engine_a_state_vector_takes_its_place():
    assert chosen(ladder(10, 3), powers=replace(POWERS, engine=False)).method == "statevector"


def test_shots_one_by_one_are_aers():
    early = Structure(2, 2, 0, (Operation("measure", (0,), (), (0,)), Operation("t", (0,)), Operation("h", (0,))))
    assert chosen(early, observed=False).method == "statevector"
    assert chosen(ladder(3, 1, bits=65), observed=False).method == "statevector"


def test_an_average_over_resets_is_a_density_matrix():
    structure = Structure(3, 0, 0, (Operation("h", (0,)), Operation("reset", (0,))))
    assert chosen(structure, None).method == "density_matrix"
    wide = Structure(20, 0, 0, (Operation("h", (0,)), Operation("reset", (0,))))
    with pytest.raises(Permanent, match="density matrix that does not fit"):
        chosen(wide, None)


def test_what_no_simulator_can_hold_is_refused_in_words():
    with pytest.raises(Permanent) as caught:
        chosen(ladder(100, 7))
    assert (caught.value.kind, caught.value.code) == ("invalid", "unsupported-width")
    assert caught.value.reason == (
        "no simulator here can hold the circuit: a state vector holds up to 24 qubits and 1024 MiB; "
        "it has gates that no stabilizer simulator knows; it may need a bond of 2**7, above 64"
    )


def test_where_it_is_allowed_a_larger_bond_is_cut_off_but_never_preferred():
    powers = replace(POWERS, mps_truncates=True)
    assert chosen(ladder(100, 7), powers=powers).truncates
    assert not chosen(ladder(24, 7), powers=powers).truncates


def test_less_memory_is_another_choice_not_a_failure():
    """16 qubits need 2 MiB as a state vector; as a matrix product state a few KiB."""
    assert chosen(ladder(16, 2), powers=replace(POWERS, memory_bytes=2**20)).method == "matrix_product_state"


def _gates(qubits):
    pair = st.permutations(range(qubits)).map(lambda order: tuple(order[:2]))
    three = st.permutations(range(qubits)).map(lambda order: tuple(order[:3]))
    one = st.tuples(st.integers(0, qubits - 1))
    kinds = [(["cx", "cz", "swap"], pair), (["h", "t", "sx"], one), (["ccx"], three)]
    gates = [st.tuples(st.sampled_from(names), qubits_).map(lambda both: Operation(*both)) for names, qubits_ in kinds]
    return st.lists(st.one_of(gates[0], *gates), max_size=14).map(tuple)


@settings(max_examples=40)
@given(_gates(5))
def test_no_cut_has_a_higher_rank_than_the_bound(operations):
    structure = Structure(5, 0, 0, tuple(Operation("h", (qubit,)) for qubit in range(5)) + operations)
    state = Statevector(to_circuit(structure)).data
    ranks = [np.linalg.matrix_rank(state.reshape(2 ** (5 - cut), 2**cut), tol=1e-9) for cut in range(1, 5)]
    assert max(ranks) <= 2 ** bond_bits(5, structure.operations)


def test_a_line_of_couplings_needs_a_bond_of_two():
    assert [bond_bits(each.num_qubits, each.operations) for each in (ghz(2), ghz(9), ladder(9, 2), ladder(3, 9))] == [
        1,
        1,
        2,
        1,
    ]


def test_a_lease_gives_what_is_free_and_waits_for_what_it_needs():
    budget, second = MemoryBudget(100), threading.Event()
    with budget.lease(10, 60) as first:
        with budget.lease(10, 60) as rest:
            assert (first, rest) == (60, 40)

        def wait():
            with budget.lease(70, 70):
                second.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not second.is_set()
    assert second.wait(10)
    waiting.join()
    with budget.lease(500, 500) as most:
        assert most == 100
