"""Kernels become Qiskit's feature maps, one parameter set for each pair, and features that follow from the points."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from qiskit.circuit.library import pauli_feature_map, z_feature_map, zz_feature_map
from qiskit.quantum_info import Statevector

from quire_contracts.document import KernelJob, MitigationSetting, ZneSetting
from quire_contracts.kernel import Features, PauliMap, ProgramMap, ZMap, ZZMap
from quire_preprocessing.draft import Bounds
from quire_preprocessing.kernel.feature_maps import encoding
from quire_preprocessing.kernel.features import fit
from quire_preprocessing.kernel.kernels import FINAL_MEASUREMENTS, kernel_of
from quire_preprocessing.refusal import Refused
from quire_quantum.executor import Member, Work
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.parse import parse_program
from quire_quantum.qiskit_circuit import to_circuit

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; input float a; input float b; '
MEASURED = HEAD + "qubit[1] q; bit c; rx(a) q[0]; c = measure q[0]; rx(b) q[0];"
MAP = HEAD + "qubit[2] q; h q[0]; rx(a) q[0]; ry(a*b) q[1]; cx q[0], q[1]; rz(0.3) q[1];"
POINTS = ((0.1, 0.7), (0.9, -0.4), (1.3, 0.2))


def ours(made, point):
    angles = made.angles(np.array([point]))[0]
    circuit = to_circuit(made.structure)
    return Statevector(circuit.assign_parameters({each: angles[each.index] for each in circuit.parameters}))


def theirs(circuit, point):
    return Statevector(circuit.assign_parameters(dict(zip(circuit.parameters, point, strict=True))))


def draft_of(program=None, bounds=None, **fields):
    fields.setdefault("points", POINTS)
    document = KernelJob(**fields)
    return kernel_of(document, parse_program(program) if program else None, bounds or Bounds())


def refused(*arguments, **fields):
    with pytest.raises(Refused) as caught:
        draft_of(*arguments, **fields)
    (problem,) = caught.value.problems
    assert problem.hint
    return caught.value.code, problem.pointer


PAULIS = [("Z", "ZZ"), ("X", "YZ"), ("Y", "XX", "ZZZ"), ("ZYX",), ("YYXZ", "Z")]


@pytest.mark.parametrize("entanglement", ["full", "linear", "reverse_linear", "circular"])
@pytest.mark.parametrize("paulis", PAULIS, ids="+".join)
@pytest.mark.parametrize("qubits", [4, 5])
def test_a_pauli_map_makes_qiskits_states(qubits, paulis, entanglement):
    point = tuple(np.random.default_rng(qubits).uniform(-2, 2, qubits).tolist())
    asked = PauliMap(paulis=paulis, repetitions=2, entanglement=entanglement, alpha=1.3)
    wanted = pauli_feature_map(qubits, reps=2, entanglement=entanglement, alpha=1.3, paulis=list(paulis))
    overlap = ours(encoding(asked, qubits), point).inner(theirs(wanted, point))
    assert abs(overlap) ** 2 == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("qubits", [2, 3])
def test_the_named_maps_are_qiskits(qubits):
    point = (0.3, -1.1, 0.8)[:qubits]
    for asked, wanted in (
        (ZMap(repetitions=3), z_feature_map(qubits, reps=3)),
        (ZZMap(), zz_feature_map(qubits)),
        (ZZMap(entanglement="circular", alpha=1.0), zz_feature_map(qubits, entanglement="circular", alpha=1.0)),
    ):
        overlap = ours(encoding(asked, qubits), point).inner(theirs(wanted, point))
        assert abs(overlap) ** 2 == pytest.approx(1.0, abs=1e-10)


def test_a_structure_has_one_angle_for_each_feature_and_each_pair_however_often_they_are_repeated():
    assert encoding(ZZMap(repetitions=1), 4).structure.num_parameters == 10
    assert encoding(ZZMap(repetitions=5), 4).structure.num_parameters == 10
    assert encoding(ZZMap(), 4).structure.sha256 == encoding(PauliMap(), 4).structure.sha256


def matrix_of(draft):
    work = Work(draft.structure, (Member(draft.parameters),), None, draft.observables)
    return FakeExecutor().execute(work).members[0].values[:, 0]


def states(points, asked=None):
    made = encoding(asked or ZZMap(), len(points[0]))
    return [ours(made, point).data for point in points]


def test_a_symmetric_matrix_has_each_pair_once_row_by_row():
    draft = draft_of()
    assert draft.kernel == msgspec.structs.replace(draft.kernel, rows=3, columns=3, symmetric=True)
    assert draft.estimate.parameter_sets == len(draft.parameters) == 3
    known = states(POINTS)
    expected = [abs(np.vdot(known[j], known[i])) ** 2 for i, j in itertools.combinations(range(3), 2)]
    assert matrix_of(draft) == pytest.approx(expected, abs=1e-12)
    assert draft.shots is None
    assert draft.estimate.shots is None


def test_a_rectangular_matrix_has_the_others_as_rows_and_the_points_as_columns():
    others = ((2.0, 0.1), (-0.3, 0.6))
    draft = draft_of(others=others, shots=50)
    assert (draft.kernel.rows, draft.kernel.columns, draft.kernel.symmetric) == (2, 3, False)
    expected = [abs(np.vdot(x, y)) ** 2 for y in states(others) for x in states(POINTS)]
    assert matrix_of(draft) == pytest.approx(expected, abs=1e-12)
    assert (draft.shots, draft.estimate.shots) == (50, 300)


def test_a_program_is_a_feature_map_of_its_inputs():
    draft = draft_of(MAP + " bit[2] c; c = measure q;", feature_map=ProgramMap(program=MAP))
    assert draft.notes == (FINAL_MEASUREMENTS,)

    def state(a, b):
        circuit = to_circuit(parse_program(MAP).structure)
        angles = parse_program(MAP).angles.evaluate(np.array([[a, b]]))[0]
        return Statevector(circuit.assign_parameters({each: angles[each.index] for each in circuit.parameters})).data

    known = [state(*point) for point in POINTS]
    expected = [abs(np.vdot(known[j], known[i])) ** 2 for i, j in itertools.combinations(range(3), 2)]
    assert matrix_of(draft) == pytest.approx(expected, abs=1e-12)


def test_features_are_chosen_and_scaled_by_the_points_alone():
    points = np.array([[1.0, 10.0, 5.0, 3.0], [2.0, 30.0, 5.0, 1.0], [4.0, 20.0, 5.0, 2.0]])
    fitted = fit(points, Features(columns=(3, 1, 2), most_varied=2, scaling="minmax", low=-1.0, high=1.0))
    assert fitted.columns == (3, 1)
    assert fitted.encode(points).tolist() == [[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]]
    assert fitted.encode(np.array([[9.0, 40.0, 9.0, 0.0]])).tolist() == [[-2.0, 2.0]], "new points may go beyond"
    standard = fit(points, Features(scaling="standard"))
    encoded = standard.encode(points)
    assert encoded.mean(axis=0) == pytest.approx([0.0] * 4)
    assert encoded.std(axis=0) == pytest.approx([1.0, 1.0, 0.0, 1.0])
    assert fit(points, Features(scaling="minmax", low=0.5)).encode(points)[:, 2].tolist() == [0.5] * 3
    assert fit(points, Features(columns=(2, 0))).encode(points).tolist() == points[:, [2, 0]].tolist()


def test_of_equally_varied_features_the_first_stay():
    points = np.array([[0.0, 5.0, 1.0, 9.0], [1.0, 6.0, 2.0, 9.0]])
    assert fit(points, Features(most_varied=2)).columns == (0, 1)
    assert fit(points, Features(columns=(3, 2, 1), most_varied=2)).columns == (2, 1)


def test_new_points_are_encoded_as_the_first_were():
    scaled = Features(scaling="minmax", high=2.0)
    alone = draft_of(features=scaled)
    beside = draft_of(features=scaled, others=(POINTS[0],))
    width = alone.parameters.shape[1] // 2
    assert beside.parameters[0, width:].tolist() == alone.parameters[0, width:].tolist()
    assert beside.parameters[:, :width][1:].tolist() == alone.parameters[:2, :width].tolist()
    assert alone.notes == beside.notes != ()


def test_mitigation_by_folding_counts_its_circuits():
    zne = MitigationSetting(zne=ZneSetting(scale_factors=(1.0, 3.0), extrapolation="linear"))
    draft = draft_of(shots=10, mitigation=zne)
    assert (draft.circuits, draft.estimate.shots) == (2, 60)


@pytest.mark.parametrize(
    ("program", "fields", "expected"),
    [
        (MAP, {"points": ((0.1,), (0.2,))}, ("features-shape", "/feature_map/program")),
        (HEAD + "qubit[13] q; rx(a+b) q[0];", {}, ("kernel-too-wide", "/feature_map/program")),
        (MAP.replace("cx", "reset q[0]; cx"), {}, ("resets-midway", "/feature_map/program")),
        (MEASURED, {}, ("measures-midway", "/feature_map/program")),
        (HEAD + "qubit[1] q; rx(a/b) q[0];", {"points": ((1.0, 1.0), (1.0, 0.0))}, ("angle-not-finite", "/points")),
        (None, {"points": ((1e200, 1e200), (0.0, 1.0))}, ("feature-not-finite", "/points/0")),
        (None, {"others": ((1e200, 1e200),)}, ("feature-not-finite", "/others/0")),
        (None, {"bounds": Bounds(max_angles=10)}, ("too-many-angles", "/points")),
        (None, {"shots": 100, "bounds": Bounds(max_total_shots=200)}, ("too-many-shots", "/shots")),
    ],
)  # fmt: skip
def test_what_cannot_be_a_kernel_is_refused_with_its_place(program, fields, expected):
    asked = {"feature_map": ProgramMap(program=program)} if program else {}
    assert refused(program, **fields, **asked) == expected


async def test_equal_documents_give_equal_bytes_and_a_bad_program_is_pointed_at(make_preparer, command_for):
    document = {"kind": "kernel", "points": POINTS, "feature_map": {"name": "program", "program": MAP}}
    first = await make_preparer().prepare(*command_for(document))
    again = await make_preparer().prepare(*command_for(document))
    assert msgspec.json.encode(first.preparation) == msgspec.json.encode(again.preparation)
    assert first.preparation.kernel.sets == first.preparation.parameters.rows == 3
    broken = document | {"feature_map": {"name": "program", "program": "OPENQASM 3.0; qubit[1] q; foo q[0];"}}
    with pytest.raises(Refused) as caught:
        await make_preparer().prepare(*command_for(broken))
    assert caught.value.problems[0].pointer == "/feature_map/program"
