"""Structures to Qiskit and Braket and back: the same unitary, the same bits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import efficient_su2
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector

from quire_quantum.braket_program import to_braket
from quire_quantum.qiskit_circuit import from_circuit, to_circuit
from quire_quantum.rejection import ProgramRejected
from quire_quantum.structure import GATES, Angle, Operation, Structure
from quire_quantum.unitaries import circuit_unitary, gate_matrices


def every_gate(seed):
    """A circuit of three qubits with each canonical gate once, at random places, and values for its angles."""
    generator = np.random.default_rng(seed)
    operations = [Operation("h", (qubit,)) for qubit in range(3)]
    parameters = 0
    for name in generator.permutation(sorted(GATES)):
        shape = GATES[str(name)]
        qubits = tuple(int(qubit) for qubit in generator.permutation(3)[: shape.qubits])
        angles = tuple(
            Angle(parameters + index, float(generator.choice([1.0, -2.5])), float(generator.choice([0.0, 0.3])))
            for index in range(shape.angles)
        )
        parameters += shape.angles
        operations.append(Operation(str(name), qubits, angles))
    return Structure(3, 0, parameters, tuple(operations)), generator.uniform(-3, 3, parameters)


@pytest.mark.parametrize("name", sorted(GATES))
def test_matrices_are_qiskits(name):
    shape = GATES[name]
    structure = Structure(
        shape.qubits,
        0,
        shape.angles,
        (Operation(name, tuple(range(shape.qubits)), tuple(map(Angle, range(shape.angles)))),),
    )
    values = [0.3, -1.1, 2.2][: shape.angles]
    np.testing.assert_allclose(
        gate_matrices(name, np.array([values, values]))[1],
        Operator(to_circuit(structure).assign_parameters(values)).data,
        atol=1e-12,
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_circuit_from_a_structure_goes_back_to_it(seed):
    structure, values = every_gate(seed)
    circuit = to_circuit(structure)
    assert [parameter.index for parameter in circuit.parameters] == list(range(structure.num_parameters))
    program = from_circuit(circuit)
    matrix = program.angles.evaluate(values[None, :])
    again = to_circuit(program.structure).assign_parameters(matrix[0])
    assert Operator(again).equiv(Operator(circuit.assign_parameters(values)))
    assert program.structure.operations == from_circuit(to_circuit(program.structure)).structure.operations


@settings(max_examples=30)
@given(st.integers(0, 2**31))
def test_any_qiskit_circuit_becomes_canonical_gates(seed):
    circuit = random_circuit(4, 4, max_operands=4, seed=seed)
    program = from_circuit(circuit)
    again = to_circuit(program.structure).assign_parameters(program.angles.evaluate(np.zeros((1, 0)))[0])
    assert Operator(again).equiv(Operator(circuit))


def test_parameters_follow_the_order_asked_for():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2, 1)
    circuit.rx(2 * b + 1, 0)
    circuit.rzz(a + b, 0, 1)
    circuit.measure(1, 0)
    program = from_circuit(circuit, inputs=[b, a])
    assert program.angles.inputs == ("b", "a")
    assert program.structure.operations == (
        Operation("rx", (0,), (Angle(0, 2.0, 1.0),)),
        Operation("rzz", (0, 1), (Angle(1),)),
        Operation("measure", (1,), (), (0,)),
    )
    np.testing.assert_allclose(program.angles.evaluate(np.array([[0.1, 0.5]])), [[0.1, 0.6]])


def test_an_ansatz_of_the_library_keeps_its_parameters():
    program = from_circuit(efficient_su2(4))
    assert (program.structure.num_parameters, len(program.angles.inputs)) == (32, 32)


def test_what_has_no_place_in_a_structure_is_refused():
    with_if = QuantumCircuit(1, 1)
    with_if.measure(0, 0)
    with with_if.if_test((0, 1)):
        with_if.x(0)
    with pytest.raises(ProgramRejected, match="while it runs"):
        from_circuit(with_if)
    squared = QuantumCircuit(1)
    squared.rx(Parameter("a") ** 2, 0)
    with pytest.raises(ProgramRejected, match="linear"):
        from_circuit(squared)
    endless = QuantumCircuit(1)
    endless.rx(math.inf, 0)
    with pytest.raises(ProgramRejected, match="finite"):
        from_circuit(endless)


def test_a_gate_that_borrows_a_standard_name_is_taken_by_its_definition():
    inner = QuantumCircuit(2, name="rzz")
    inner.x(0)
    circuit = QuantumCircuit(2)
    circuit.append(inner.to_gate(), [0, 1])
    circuit.cx(0, 1, ctrl_state=0)
    assert [operation.name for operation in from_circuit(circuit).structure.operations] == ["x", "x", "cx", "x"]


def test_a_unitary_of_steps_is_qiskits():
    structure, values = every_gate(5)
    steps = [
        operation._replace(angles=tuple(a.scale * values[a.parameter] + a.offset for a in operation.angles))
        for operation in structure.operations
    ]
    np.testing.assert_allclose(
        circuit_unitary(steps, 3), Operator(to_circuit(structure).assign_parameters(values)).data, atol=1e-9
    )


# ------------------------------------------------------------------------------------------------------------ Braket


@pytest.fixture(scope="module")
def braket():
    devices = pytest.importorskip("braket.devices", reason="amazon-braket-sdk is not installed")
    from braket.ir.openqasm import Program

    device = devices.LocalSimulator()

    def run(program, values=(), shots=0):
        inputs = dict(zip(program.inputs, map(float, values), strict=True))
        return device.run(Program(source=program.source, inputs=inputs), shots=shots).result()

    return run


@pytest.mark.parametrize("seed", range(3))
def test_braket_works_out_the_same_values(braket, seed):
    structure, values = every_gate(seed)
    labels = ["ZII", "IXI", "YYZ", "III", "XZY"]
    state = Statevector(to_circuit(structure).assign_parameters(values))
    exact = [state.expectation_value(SparsePauliOp(label)).real for label in labels]
    np.testing.assert_allclose(braket(to_braket(structure, labels), values).values, exact, atol=1e-6)


def test_braket_measures_the_bits_named(braket):
    structure = Structure(
        3,
        4,
        0,
        (
            Operation("x", (0,)),
            Operation("measure", (0,), (), (3,)),
            Operation("measure", (2,), (), (1,)),
            Operation("barrier", (0, 1, 2)),
        ),
    )
    program = to_braket(structure)
    assert (program.measured_qubits, program.measured_bits) == ((2, 0), (1, 3))
    result = braket(program, shots=5)
    assert tuple(result.measured_qubits) == program.measured_qubits
    assert result.measurements.tolist() == [[0, 1]] * 5


def test_brakets_source_has_no_include_and_takes_inputs():
    structure = Structure(
        2, 1, 1, (Operation("crz", (0, 1), (Angle(0, 2.0, 1.0),)), Operation("measure", (1,), (), (0,)))
    )
    assert to_braket(structure).source.splitlines() == [
        "OPENQASM 3.0;",
        "input float p0;",
        "qubit[2] q;",
        "bit[1] c;",
        "rz(p0+0.5) q[1];",
        "cnot q[0], q[1];",
        "rz(-1.0*p0-0.5) q[1];",
        "cnot q[0], q[1];",
        "c[0] = measure q[1];",
    ]
