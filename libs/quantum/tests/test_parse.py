"""Programs mean what Qiskit and the language say they mean, and their numbers stand outside of their structure."""

import math

import numpy as np
import pytest
import qiskit.qasm2
import qiskit.qasm3
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit.library import standard_gates as std
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator

from quire_quantum.gate_library import CANONICAL_NAMES, library
from quire_quantum.parse import parse_program
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum.rejection import ProgramRejected
from quire_quantum.structure import GATES, Structure

V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def unitary(source, values=()):
    program = parse_program(source)
    row = program.angles.evaluate(np.array([values], dtype=float).reshape(1, -1))[0]
    circuit = to_circuit(program.structure)
    return Operator(circuit.assign_parameters([row[p.index] for p in circuit.parameters]))


def steps(source):
    return [operation[:2] for operation in parse_program(source).structure.operations]


# ----------------------------------------------------------------------------------------- against Qiskit's readers


@pytest.mark.parametrize("seed", range(25))
def test_version_2_means_what_qiskit_reads(seed):
    circuit = random_circuit(4, 5, max_operands=4, seed=seed)
    text = qiskit.qasm2.dumps(circuit)
    assert unitary(text).equiv(
        Operator(qiskit.qasm2.loads(text, custom_instructions=qiskit.qasm2.LEGACY_CUSTOM_INSTRUCTIONS))
    )


@pytest.mark.parametrize("seed", range(25))
def test_version_3_means_what_qiskit_wrote(seed):
    circuit = random_circuit(4, 5, max_operands=4, seed=seed)
    assert unitary(qiskit.qasm3.dumps(circuit)).equiv(Operator(circuit))


names_in_stdgates = sorted(set(GATES) - {"u", "sxdg", "rxx", "ryy", "rzz"})


@st.composite
def gate_lines(draw):
    name = draw(st.sampled_from(names_in_stdgates))
    shape = GATES[name]
    qubits = draw(st.permutations(range(3)))[: shape.qubits]
    angles = [
        draw(st.sampled_from(["w", "-w/2", "2*w+pi/3", "0.25", "pi", "-1.5e-1", "w-1"])) for _ in range(shape.angles)
    ]
    powers = [] if angles else ["pow(2) @ "]  # Qiskit has no power of a gate whose angle is not known
    modifier = draw(st.sampled_from(["", "", "inv @ ", *powers]))
    call = f"{name}({', '.join(angles)})" if angles else name
    return f"{modifier}{call} {', '.join(f'q[{qubit}]' for qubit in qubits)};\n"


@settings(max_examples=60)
@given(st.lists(gate_lines(), min_size=1, max_size=8), st.floats(-3, 3))
def test_version_3_means_what_qiskits_importer_reads(lines, value):
    source = f"{V3}input float w;\nqubit[3] q;\n{''.join(lines)}"
    theirs = qiskit.qasm3.loads(source)
    assert unitary(source, [value]).equiv(Operator(theirs.assign_parameters(dict.fromkeys(theirs.parameters, value))))


@settings(max_examples=60)
@given(st.lists(gate_lines(), min_size=1, max_size=8))
def test_a_structures_text_is_its_own_program(lines):
    program = parse_program(f"{V3}input float w;\nqubit[3] q;\n{''.join(lines)}")
    again = parse_program(program.structure.to_text())
    assert again.structure == program.structure
    assert Structure.from_text(program.structure.to_text()) == program.structure


QISKIT_CLASS = {
    "u0": lambda _: std.IGate(), "u2": std.U2Gate, "r": std.RGate, "rzx": std.RZXGate, "iswap": std.iSwapGate,
    "dcx": std.DCXGate, "ecr": std.ECRGate, "cs": std.CSGate, "csdg": std.CSdgGate, "csx": std.CSXGate,
    "cu3": std.CU3Gate, "cu": std.CUGate, "ccz": std.CCZGate, "c3x": std.C3XGate, "mcx": std.C3XGate,
    "c4x": std.C4XGate, "c3sqrtx": std.C3SXGate, "c3sx": std.C3SXGate, "rccx": std.RCCXGate, "rcccx": std.RC3XGate,
    "rc3x": std.RC3XGate, "xx_plus_yy": std.XXPlusYYGate, "xx_minus_yy": std.XXMinusYYGate,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(library()))
def test_a_gate_of_the_library_is_qiskits_with_its_phase(name):
    definition = library()[name]
    values = [0.3, 1.1, -0.7, 2.2][: len(definition.parameters)]
    width = len(definition.qubits)
    call = f"{name}({', '.join(map(str, values))})" if values else name
    gate = QISKIT_CLASS[name](*values)
    controlled = np.eye(2 ** (width + 1), dtype=complex)
    controlled[1::2, 1::2] = Operator(gate).data
    operands = ", ".join(f"q[{qubit}]" for qubit in range(width + 1))
    assert unitary(f"{V3}qubit[{width + 1}] q;\nctrl @ {call} {operands};").equiv(Operator(controlled))


def test_every_gate_of_the_library_has_a_name_of_its_own():
    assert not set(library()) & set(CANONICAL_NAMES)


# --------------------------------------------------------------------------------------------------------- modifiers


@pytest.mark.parametrize("name", sorted(GATES))
@pytest.mark.parametrize(
    "modifier", ["ctrl", "negctrl", "ctrl(2)", "negctrl(3)", "inv", "pow(-2)", "ctrl @ inv", "inv @ ctrl"]
)
def test_modifiers_are_matrix_arithmetic(name, modifier):
    shape = GATES[name]
    values = [0.3, 1.1, -0.7][: shape.angles]
    word = "U" if name == "u" else name
    call = f"{word}({', '.join(map(str, values))})" if values else word
    matrix = unitary_of_gate(name, values)
    controls = 0
    for part in reversed(modifier.split(" @ ")):
        if part == "inv":
            matrix = matrix.conj().T
        elif part.startswith("pow"):
            matrix = np.linalg.matrix_power(matrix, int(part[4:-1]))
        else:
            count = int(part.split("(")[1][:-1]) if "(" in part else 1
            controls += count
            matrix = control(matrix, count, 2**count - 1 if part.startswith("ctrl") else 0)
    width = shape.qubits + controls
    operands = ", ".join(f"q[{qubit}]" for qubit in range(width))
    assert unitary(f"{V3}qubit[{width}] q;\n{modifier} @ {call} {operands};").equiv(Operator(matrix))


def unitary_of_gate(name, values):
    from quire_quantum.unitaries import gate_matrices

    return gate_matrices(name, np.array([values], dtype=float))[0]


def control(matrix, count, state):
    size = len(matrix) * 2**count
    result = np.eye(size, dtype=complex)
    chosen = [index for index in range(size) if index % 2**count == state]
    result[np.ix_(chosen, chosen)] = matrix
    return result


@pytest.mark.parametrize("controls", [3, 5, 8])
def test_many_controls_need_no_spare_qubit(controls):
    width = controls + 1
    operands = ", ".join(f"q[{qubit}]" for qubit in range(width))
    matrix = control(np.array([[0, 1], [1, 0]]), controls, 2**controls - 1)
    assert unitary(f"{V3}qubit[{width}] q;\nctrl({controls}) @ x {operands};").equiv(Operator(matrix))


@pytest.mark.parametrize("gate", ["x", "y", "z", "s", "sdg", "t", "sx", "sxdg", "rx(1.2)", "swap", "cz", "cx"])
def test_a_square_root_twice_is_the_gate(gate):
    operands = "q[0], q[1]" if gate in ("swap", "cz", "cx") else "q[0]"
    twice = f"pow(0.5) @ {gate} {operands};\n" * 2
    controlled = twice.replace("pow", "ctrl @ pow").replace(" q[0]", " q[2], q[0]")
    whole = f"ctrl @ {gate} q[2], {operands};"
    assert unitary(f"{V3}qubit[3] q;\n{controlled}").equiv(unitary(f"{V3}qubit[3] q;\n{whole}"))


# ------------------------------------------------------------------------------------------------ where Qiskit errs


def test_parameters_of_a_defined_gate_are_bound_by_position():
    """The Qiskit importer binds them in alphabetical order: here it would turn x by 2 and z by 1."""
    source = V3 + "gate g(b, a) q { rx(b) q; rz(a) q; }\nqubit q;\ng(1.0, 2.0) q;"
    circuit = QuantumCircuit(1)
    circuit.rx(1.0, 0)
    circuit.rz(2.0, 0)
    assert unitary(source).equiv(Operator(circuit))
    assert not unitary(source).equiv(Operator(qiskit.qasm3.loads(source)))


def test_gates_that_stdgates_lacks_need_no_definition():
    source = (
        V3 + "input float t;\nqubit[2] q;\nrzz(t) q[0], q[1];\nrxx(t) q[0], q[1];\nryy(0.5) q[1], q[0];\nsxdg q[0];"
    )
    assert [name for name, _ in steps(source)] == ["rzz", "rxx", "ryy", "sxdg"]


def test_a_definition_that_means_the_same_as_a_known_gate_leaves_it_one_gate():
    same = V3 + "gate rzz(a) p, q { cx p, q; rz(a) q; cx p, q; }\nqubit[2] q;\nrzz(1.0) q[0], q[1];"
    other = V3 + "gate rzz(a) p, q { cx p, q; rz(2*a) q; cx p, q; }\nqubit[2] q;\nrzz(1.0) q[0], q[1];"
    assert [name for name, _ in steps(same)] == ["rzz"]
    assert [name for name, _ in steps(other)] == ["cx", "rz", "cx"]
    shifted = V3 + "gate rz(a) q { p(a) q; }\nqubit[2] q;\nctrl @ rz(1.0) q[0], q[1];"
    assert [name for name, _ in steps(shifted)] == ["cp"]


# ---------------------------------------------------------------------------------------------------------- language


def test_loops_constants_and_static_choices_are_unrolled():
    source = (
        V3
        + """
    const int n = 3;
    qubit[n] q; bit[n] c;
    for int i in [0:n - 1] { h q[i]; }
    for uint i in [n - 1:-1:1] { if (i % 2 == 0) { cx q[i], q[i - 1]; } else { cz q[i], q[i - 1]; } }
    for int i in {0, 2} x q[i];
    int k = 0;
    for int i in [1:2] { k += i; }
    y q[k - 1];
    c = measure q;
    """
    )
    assert steps(source) == [
        *[("h", (q,)) for q in range(3)],
        ("cx", (2, 1)),
        ("cz", (1, 0)),
        ("x", (0,)),
        ("x", (2,)),
        ("y", (2,)),
        *[("measure", (q,)) for q in range(3)],
    ]


def test_slices_aliases_and_broadcasts():
    source = (
        V3
        + """
    qubit[4] q; qubit a; bit[2] c;
    let left = q[0:1]; let both = left ++ q[{3}];
    h both; cx left, q[2:3]; cx a, left; x q[-1]; barrier left, a; reset left;
    c[0] = measure left[1];
    c[1] = measure a;
    """
    )
    assert steps(source) == [
        ("h", (0,)),
        ("h", (1,)),
        ("h", (3,)),
        ("cx", (0, 2)),
        ("cx", (1, 3)),
        ("cx", (4, 0)),
        ("cx", (4, 1)),
        ("x", (3,)),
        ("barrier", (0, 1, 4)),
        ("reset", (0,)),
        ("reset", (1,)),
        ("measure", (1,)),
        ("measure", (4,)),
    ]


def test_measurements_in_every_spelling():
    source = "OPENQASM 3.0; qubit[2] q; bit d; bit[2] e; measure q -> e; d = measure q[1]; bit f = measure q[0];"
    program = parse_program(source)
    assert [(op.qubits[0], op.bits[0]) for op in program.structure.operations] == [(0, 1), (1, 2), (1, 0), (0, 3)]
    assert program.structure.num_bits == 4


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("pi/2", math.pi / 2),
        ("2*π", math.tau),
        ("-3 + 2**3", 5.0),
        ("-2**2", -4.0),
        ("2**-1", 0.5),
        ("1 - 2 - 3", -4.0),
        ("8 / 4 / 2", 1.0),
        ("1.0 / 4", 0.25),
        ("sin(0.5)**2 + cos(0.5)**2", 1.0),
        ("arctan(1)*4", math.pi),
        ("sqrt(2.0)", math.sqrt(2)),
        ("log(exp(1.5))", 1.5),
        ("floor(2.7) + ceiling(0.2)", 3.0),
        ("7 % 4", 3.0),
        ("1 << 3 | 1", 9.0),
        ("float(3) / 2", 1.5),
        ("1_000e-3", 1.0),
        ("0x10 + 0b11", 19.0),
        (".5", 0.5),
        ("pow(2, 3)", 8.0),
        ("true + 1", 2.0),
        ("(1 < 2) * 0.5", 0.5),
    ],
)
def test_expressions(expression, value):
    program = parse_program(f"{V3}qubit q;\nrx({expression}) q;")
    np.testing.assert_allclose(program.angles.evaluate(np.zeros((1, 0))), [[value]])


def test_version_2_divides_as_real_numbers_do_and_has_its_power():
    program = parse_program(
        'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\nrx(1/2) q[0];\nry(2^3) q[0];\nrz(ln(2)) q[0];'
    )
    np.testing.assert_allclose(program.angles.evaluate(np.zeros((1, 0))), [[0.5, 8.0, math.log(2)]])


def test_an_integer_division_that_would_drop_a_fraction_is_refused():
    with pytest.raises(ProgramRejected) as refused:
        parse_program(V3 + "qubit q;\nrx(1/2) q;")
    assert (refused.value.code, refused.value.line) == ("inexact-division", 4)


# ----------------------------------------------------------------------------------------------------------- lifting


def test_parameters_are_numbered_by_appearance_and_sets_follow_the_declarations():
    source = (
        V3
        + """
    input float a; input float unused; input angle b;
    qubit[2] q;
    rz(0.5) q[0]; rx(2*b - 1) q[0]; ry(a) q[1]; rz(0.5) q[1]; rx(b) q[0]; p(a*b) q[0]; p(b*a + 1) q[1]; rz(a + b) q[0];
    p(a*b) q[1];
    """
    )
    program = parse_program(source)
    assert program.angles.inputs == ("a", "unused", "b")
    lines = [line for line in program.structure.to_text().splitlines() if line.startswith(("r", "p"))]
    assert lines == [
        "rz(p0) q[0];",
        "rx(2.0*p1-1.0) q[0];",
        "ry(p2) q[1];",
        "rz(p3) q[1];",
        "rx(p1) q[0];",
        "p(p4) q[0];",
        "p(p5) q[1];",
        "rz(p6) q[0];",
        "p(p4) q[1];",
    ]
    a, b = 0.3, -0.7
    np.testing.assert_allclose(
        program.angles.evaluate(np.array([[a, 99.0, b]])), [[0.5, b, a, 0.5, a * b, a * b + 1, a + b]]
    )


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(["rx", "rz", "p"]), st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=9)
)
def test_programs_that_differ_only_in_their_angles_are_one_structure(gates):
    def program(column):
        return parse_program(V3 + "qubit q;\n" + "".join(f"{gate[0]}({gate[column]!r}) q;\n" for gate in gates))

    first, second = program(1), program(2)
    assert first.structure.to_text() == second.structure.to_text()
    assert first.structure.sha256 == second.structure.sha256
    np.testing.assert_array_equal(first.angles.evaluate(np.zeros((1, 0))), [[gate[1] for gate in gates]])


def test_equal_angles_do_not_show_in_the_structure():
    one = parse_program(V3 + "qubit q; rx(0.5) q; rz(0.5) q;")
    other = parse_program(V3 + "qubit q; rx(0.5) q; rz(0.7) q;")
    assert one.structure == other.structure


@pytest.mark.parametrize(
    ("sets", "code"),
    [
        (np.zeros((2, 1)), "parameters-shape"),
        (np.zeros((1, 3)), "parameters-shape"),
        (np.array([[0.0, 0.0]]), "angle-not-finite"),
    ],
)
def test_parameter_sets_that_do_not_fit_are_refused(sets, code):
    program = parse_program(V3 + "input float a; input float b; qubit q; rx(a/b) q;")
    with pytest.raises(ProgramRejected) as refused:
        program.angles.evaluate(sets)
    assert refused.value.code == code


def test_a_matrix_beyond_memory_is_refused_before_it_is_made():
    program = parse_program(V3 + "qubit[200] q; for int i in [0:99] { rx(0.5) q; }")
    with pytest.raises(ProgramRejected, match="too many"):
        program.angles.evaluate(np.zeros((10_000, 0)))


def test_the_same_text_gives_the_same_program():
    source = V3 + "input float a; qubit[2] q; rzz(sin(a)) q[0], q[1]; ctrl @ rx(a) q[0], q[1];"
    assert parse_program(source) == parse_program(source)
