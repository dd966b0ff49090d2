"""Loops with several circuits: which ones there are, where they start, what they need, and what has no room."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from quire_contracts.continuation import From
from quire_contracts.document import MinimizeJob, OptimizeJob, Qaoa, QaoaCircuit
from quire_contracts.optimizers import Nft, ParameterShift, Spsa
from quire_contracts.problems import MaxCut, Qubo
from quire_contracts.vqe import GivenAnsatz, HardwareEfficient, Vqe
from quire_preprocessing.draft import Bounds
from quire_preprocessing.minimize.minimisation import minimisation_of
from quire_preprocessing.optimize.ising import energy_of
from quire_preprocessing.optimize.optimisation import loop_of
from quire_preprocessing.optimize.qaoa import angle_names, qaoa, sharing
from quire_preprocessing.refusal import Refused
from quire_quantum.parse import parse
from quire_testing.circuits import plain_state

CHAIN = MaxCut(edges=tuple((i, i + 1, 1.0) for i in range(4)))
FIELDS = Qubo(n=3, linear=(1.0, -2.0, 0.5), quadratic=((0, 1, 2.0), (1, 2, -1.0)))
RIVALS = (QaoaCircuit(layers=1), QaoaCircuit(layers=2), QaoaCircuit(layers=1, angles="multi"))
NO_INPUTS = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0];'
HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
PAIR = HEAD + "input float a; input float b; qubit[2] q; ry(a) q[0]; ry(b) q[1]; cx q[0], q[1];"
THREE = HEAD + "input float a; qubit[3] q; ry(a) q[0]; cx q[0], q[1]; cx q[1], q[2];"


def loop(problem=CHAIN, *, bounds=None, start=msgspec.UNSET, **algorithm):
    document = OptimizeJob(problem=problem, algorithm=Qaoa(**algorithm), start=start)
    return loop_of(document, 1, bounds or Bounds())[0]


def minimisation(*candidates, bounds=None, **changes):
    document = MinimizeJob(
        hamiltonian={"ZZ": 1.0, "XI": 0.5}, constant=0.25, algorithm=Vqe(candidates=candidates, **changes)
    )
    programs = [parse(each.program).program if isinstance(each, GivenAnsatz) else None for each in candidates]
    return minimisation_of(document, programs, 1, bounds or Bounds())[0]


def test_candidates_are_circuits_of_their_own_and_the_draft_is_of_the_first():
    draft = loop(candidates=RIVALS, sweep=16, optimizer=Spsa(rounds=5), starts=2)
    assert draft.several is not None
    circuits = draft.several.circuits
    assert [each.name for each in circuits] == ["1 layer", "2 layers", "1 layer with an angle for each gate"]
    assert [each.structure.num_parameters for each in circuits] == [2, 4, 4 + 5]
    assert [each.start_points.shape for each in circuits] == [(16, 2), (16, 4), (16, 9)]
    assert [each.estimate.two_qubit_gates for each in circuits] == [4, 8, 4]
    assert (draft.structure, draft.starts, draft.several.climbs) == (circuits[0].structure, 2, False)
    assert draft.several.mixed == -2.0, "half of the chain's ties are cut by a random assignment"
    assert draft.estimate.two_qubit_gates == 8
    assert draft.estimate.parameter_sets == 3 * 16 + 2 * 3 * 5 + 1
    assert draft.estimate.shots == 1024 * draft.estimate.parameter_sets


def test_start_points_of_all_candidates_have_the_room_of_one_task():
    draft = loop(candidates=tuple(QaoaCircuit(layers=layers) for layers in (10, 16, 20, 32)), sweep=1_024)
    assert draft.several is not None
    shapes = [each.start_points.shape for each in draft.several.circuits]
    assert shapes == [(512 // 20, 20), (512 // 32, 32), (512 // 40, 40), (512 // 64, 64)]


def test_candidates_whose_angles_no_record_has_room_for_are_refused():
    complete = MaxCut(edges=tuple((i, j, 1.0) for i in range(20) for j in range(i)))
    with pytest.raises(Refused) as caught:
        loop(complete, candidates=(QaoaCircuit(layers=2, angles="multi"), QaoaCircuit(layers=3, angles="multi")))
    (told,) = caught.value.problems
    assert (caught.value.code, told.pointer, told.limit) == (
        "candidates-too-large",
        "/algorithm/candidates",
        "at most 1024",
    )


def test_a_climb_has_a_circuit_for_each_number_of_layers_and_screens_the_first():
    draft = loop(layers=3, initialisation="interpolated", sweep=16, optimizer=ParameterShift(rounds=12))
    assert draft.several is not None
    assert draft.several.climbs
    assert [each.structure.num_parameters for each in draft.several.circuits] == [2, 4, 6]
    assert [len(each.start_points) for each in draft.several.circuits] == [16, 1, 1]
    plain = [loop(layers=layers, sweep=1, optimizer=ParameterShift(rounds=1)).estimate for layers in (1, 2, 3)]
    each = [estimate.parameter_sets - 1 for estimate in plain]
    assert draft.estimate.parameter_sets == 16 + 2 * each[0] + 4 * each[1] + 6 * each[2] + 1
    assert draft.estimate.two_qubit_gates == plain[2].two_qubit_gates


@pytest.mark.parametrize("problem", [CHAIN, FIELDS])
def test_multi_angles_that_agree_are_the_shared_ones(problem):
    energy = energy_of(problem)
    shared, multi = qaoa(energy, 2), qaoa(energy, 2, "multi")
    angles = np.array([0.4, 0.9, 0.7, 0.2])
    spread = angles[sharing(energy, 2, "multi")]
    assert multi.num_parameters == len(spread) == len(angle_names(energy, 2, "multi")) > 4
    assert len({angle.parameter for gate in multi.operations for angle in gate.angles}) == len(spread)
    np.testing.assert_allclose(plain_state(multi, spread), plain_state(shared, angles), atol=1e-12)


def test_multi_angles_start_where_shared_ones_do_and_have_curves_of_one_frequency():
    draft = loop(FIELDS, angles="multi", layers=1, sweep=16, optimizer=Nft(rounds=8))
    plain = loop(FIELDS, layers=1, sweep=16)
    assert draft.several is None
    assert draft.start_points.tolist() == plain.start_points[:, [0] * 4 + [1] * 3].tolist()
    assert {spectrum.count for spectrum in draft.spectra} == {1}
    assert draft.estimate.parameter_sets == 16 + 8 * 3 + 1
    given = loop(FIELDS, angles="multi", layers=1, initial=(0.1, 0.2))
    assert given.start_points.tolist() == [[0.1] * 4 + [0.2] * 3]


def test_a_round_of_multi_angles_that_no_task_holds_is_refused():
    complete = MaxCut(edges=tuple((i, j, 1.0) for i in range(12) for j in range(i)))
    with pytest.raises(Refused) as caught:
        loop(complete, angles="multi", layers=2, optimizer=ParameterShift())
    assert caught.value.code == "round-too-large"
    assert caught.value.problems[0].hint == "use fewer layers, or shared angles, or an optimiser without a gradient"


def test_wider_than_what_is_simulated_nothing_is_screened_and_the_notes_say_so():
    draft = loop(candidates=RIVALS, sweep=16, bounds=Bounds(screened_qubits=4))
    assert draft.several is None
    assert draft.start_points.shape == (1, 2)
    (note,) = draft.notes
    assert note.startswith("5 qubits are more than the 4 that are simulated: no start points or candidates were pre-sc")
    assert loop(layers=1, initial=(0.1, 0.2), bounds=Bounds(screened_qubits=4)).notes == ()
    wide = minimisation(HardwareEfficient(layers=1), HardwareEfficient(layers=2), bounds=Bounds(screened_qubits=1))
    assert (wide.several, len(wide.start_points), len(wide.notes)) == (None, 1, 1)


def test_rounds_of_an_earlier_job_bring_all_circuits_along_without_start_points():
    draft = loop(candidates=RIVALS, start=From(job="earlier", round=3))
    assert draft.several is not None
    assert [len(each.start_points) for each in draft.several.circuits] == [1, 1, 1]


def test_ansaetze_are_candidates_given_ones_with_columns_of_their_own():
    turned = PAIR + " rz(0.25) q[0];"
    mine = HardwareEfficient(layers=1, rotations=("ry",))
    draft = minimisation(mine, GivenAnsatz(PAIR), GivenAnsatz(turned), sweep=8)
    assert draft.several is not None
    first, second, third = draft.several.circuits
    assert [each.name for each in draft.several.circuits] == [
        "1 layer of ry and cx (linear)",
        "the program with 2 inputs",
        "the program with 2 inputs",
    ]
    assert [each.start_points.shape for each in draft.several.circuits] == [(8, 4), (8, 2), (8, 2)]
    assert (first.columns, second.columns) == (None, None)
    assert third.columns is not None
    assert (third.columns.sources[:2], third.columns.scales) == ((0, 1), (1.0, 1.0, 0.0))
    assert draft.several.mixed == 0.25, "only the constant is left of a random state"
    assert draft.structure == first.structure


@pytest.mark.parametrize(
    ("candidates", "code", "pointer"),
    [
        ((GivenAnsatz(PAIR), GivenAnsatz(THREE)), "candidates-differ", "/algorithm/candidates/1"),
        (
            (HardwareEfficient(), GivenAnsatz(NO_INPUTS)),
            "ansatz-without-inputs",
            "/algorithm/candidates/1/program",
        ),
    ],
)
def test_a_candidate_that_cannot_be_varied_is_refused_where_it_stands(candidates, code, pointer):
    with pytest.raises(Refused) as caught:
        minimisation(*candidates)
    assert (caught.value.code, caught.value.problems[0].pointer) == (code, pointer)
