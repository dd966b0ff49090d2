"""A known skeleton says what the parser says: equal structure, equal result, nothing accepted that was refused."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, Statevector
from qiskit_aer import AerSimulator

from quire_quantum.angles import LITERALS
from quire_quantum.gate_library import library
from quire_quantum.parse import parse, parse_program, parse_skeleton, parse_text
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum.rejection import ProgramRejected
from quire_quantum.skeleton import scan
from quire_quantum.stored_program import EDITION, decode_program, encode_program
from quire_quantum.structure import GATES
from quire_testing.hostile_programs import HOSTILE

V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
QUBITS = 4
simulator = AerSimulator(method="statevector", max_parallel_threads=1)


def angles_of(program, inputs=()):
    """Every operation with the values of its angles."""
    row = program.angles.evaluate(np.array([inputs], float).reshape(1, -1))[0]
    return [
        (name, qubits, bits, [scale * row[parameter] + offset for parameter, scale, offset in angles])
        for name, qubits, angles, bits in program.structure.operations
    ]


def assert_same(one, other, inputs=()):
    ours, theirs = angles_of(one, inputs), angles_of(other, inputs)
    assert [step[:3] for step in ours] == [step[:3] for step in theirs]
    for mine, yours in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine[3], yours[3], rtol=1e-12, atol=1e-12)


def assert_meaning(source, inputs=()):
    """If the skeleton is accepted, the text is, and means the same; gives whether it is."""
    skeleton = scan(source)
    if skeleton is None:
        return False
    try:
        program = parse_skeleton(skeleton).bound(skeleton.literals)
    except ProgramRejected:
        return False
    assert_same(program, parse_text(source), inputs or [0.37 + 0.2 * k for k in range(len(program.angles.inputs))])
    return True


# ------------------------------------------------------------------------------------------- equal structure and result

spellings = st.one_of(
    st.floats(-9, 9).map(repr),
    st.integers(-9, 9).map(str),
    st.sampled_from(["pi", "-pi/2", "3*pi/4", "pi / 8", "0.25 * pi", "2*pi/3.0", "tau", "-euler", "pi*2"]),
    st.sampled_from(["sqrt(2.0)", "(1 + 2)*0.5", "-(pi)", "2**-1", "sin(cos(0.3))", "1_000e-3", ".5", "pow(2, 3)/8"]),
)
gates = st.sampled_from(sorted(GATES)).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.lists(spellings, min_size=GATES[name].angles, max_size=GATES[name].angles),
        st.permutations(range(QUBITS)).map(lambda order: order[: GATES[name].qubits]),
        st.sampled_from([", ", ",", " , "]),
    )
)


def written(circuit):
    lines = [f"{V3}qubit[{QUBITS}] q;\n"]
    for name, angles, qubits, comma in circuit:
        word = "U" if name == "u" else name
        call = f"{word}({comma.join(angles)})" if angles else word
        lines.append(f"{call} {comma.join(f'q[{qubit}]' for qubit in qubits)};\n")
    return "".join(lines)


def state(program):
    (row,) = program.angles.evaluate(np.zeros((1, 0)))
    circuit = to_circuit(program.structure)
    return Statevector(circuit.assign_parameters([row[p.index] for p in circuit.parameters])).data


@settings(max_examples=60)
@given(st.lists(gates, min_size=1, max_size=12))
def test_a_skeletons_state_is_the_texts_and_aers(circuit):
    source = written(circuit)
    parsed = parse(source)
    assert parsed.is_skeleton
    assert parsed.program.structure == parse_text(source).structure
    ours = state(parse_program(source))
    assert abs(np.vdot(ours, state(parse_text(source)))) == pytest.approx(1, abs=1e-9)
    reference = QuantumCircuit(QUBITS)
    for name, angles, qubits, _ in circuit:
        values = [angles_of(parse_text(f"{V3}qubit q; rx({angle}) q;"))[0][3][0] for angle in angles]
        if name in simulator.operation_names:
            getattr(reference, name)(*values, *qubits)
        else:
            alone = QuantumCircuit(GATES[name].qubits)
            getattr(alone, name)(*values, *range(alone.num_qubits))
            reference.unitary(Operator(alone), list(qubits))
    reference.save_statevector()
    theirs = simulator.run(reference).result().get_statevector().data
    assert abs(np.vdot(ours, theirs)) == pytest.approx(1, abs=1e-9)


@settings(max_examples=60)
@given(st.lists(gates, min_size=1, max_size=12), st.data())
def test_programs_that_differ_only_in_literals_have_one_skeleton(circuit, data):
    other = [(name, [data.draw(spellings) for _ in angles], *rest) for name, angles, *rest in circuit]
    one, two = scan(written(circuit)), scan(written(other))
    assert (one.text, one.sha256) == (two.text, two.sha256)
    known = parse_skeleton(one)
    assert_same(known.bound(two.literals), parse_text(written(other)))
    first, second = parse_program(written(circuit)), parse_program(written(other))
    assert first.structure.sha256 == second.structure.sha256 == known.structure.sha256


def library_call(name):
    definition = library()[name]
    operands = ", ".join(f"q[{qubit}]" for qubit in range(len(definition.qubits)))
    numbers = ", ".join(f"{0.3 + 0.4 * k}" for k in range(len(definition.parameters)))
    return f"{name}({numbers}) {operands};" if numbers else f"{name} {operands};"


@pytest.mark.parametrize("modifier", ["", "inv @ ", "ctrl @ ", "negctrl(2) @ ", "pow(3) @ ", "ctrl @ inv @ "])
@pytest.mark.parametrize("name", [*sorted(GATES), *sorted(library())])
def test_every_gate_under_every_modifier_is_lifted(name, modifier):
    shape = GATES.get(name)
    if shape is None:
        call = library_call(name)
    else:
        numbers = ", ".join(f"{0.3 + 0.4 * k}" for k in range(shape.angles))
        word = "U" if name == "u" else name
        call = f"{word}({numbers})" if numbers else word
        call += " " + ", ".join(f"q[{qubit}]" for qubit in range(shape.qubits)) + ";"
    controls = {"ctrl @ ": 1, "negctrl(2) @ ": 2, "ctrl @ inv @ ": 1}.get(modifier, 0)
    head, operands = call.split(" q[0]", 1)
    extra = "".join(f" q[{9 - k}]," for k in range(controls))
    source = f"{V3}qubit[10] q;\n{modifier}{head}{extra} q[0]{operands}"
    parsed = parse(source)
    assert parsed.is_skeleton
    assert parsed.program.structure == parse_text(source).structure
    assert_meaning(source)


# --------------------------------------------------------------------------------------------- what is and what is not

LIFTED = {
    "a loop": ("for int i in [0:2] { rx(0.5) q[i]; }", ["rx(?) q[i]"]),
    "a loop without braces": ("for int i in {0, 2} rx(0.5) q[i];", ["{0, 2} rx(?)"]),
    "a static choice": ("if (1 == 1) { rx(0.5) q[0]; } else rz(-pi) q[1];", ["(1 == 1)", "rx(?)", "rz(?)"]),
    "a choice in one line": ("if(true) rx(0.5) q[0];", ["if(true) rx(?)"]),
    "modifiers": ("ctrl(2) @ pow(2) @ rx(0.5) q[0], q[1], q[2];", ["ctrl(2) @ pow(2) @ rx(?)"]),
    "a power of a half": ("pow(0.5) @ rx(0.5) q[0];", ["pow(0.5) @ rx(?)"]),
    "a global phase": ("gphase(0.5); ctrl @ gphase(pi/2) q[0];", ["gphase(?); ctrl @ gphase(?) q[0]"]),
    "inputs beside numbers": ("input float t; U(t, 0.5, t + 1) q[0];", ["U(t, ?, t + 1) q[0]"]),
    "a number beside an input": ("input float t; rx(2*t) q[0];", ["rx(2*t)"]),
    "a constant": ("const float a = 0.5; rx(a) q[0];", ["a = 0.5; rx(a)"]),
    "a constant by a function": ("const float a = sin(0.5); rx(a) q[0];", ["a = sin(0.5); rx(a)"]),
    "a definition": ("gate g(a) p { rx(0.5) p; rz(a) p; } g(0.25) q[0];", ["rx(0.5) p; rz(a) p; } g(?) q[0]"]),
    "a definition of definitions": (
        "gate f(a, b) p { rx(a*b) p; } gate g(a) p { f(a, 2) p; f(1, a/3) p; } g(0.25) q[0]; f(1, 2.0) q[1];",
        ["f(a, 2) p; f(1, a/3) p; } g(?) q[0]; f(?, ?) q[1]"],
    ),
    "a number times an input": ("gate g(a, b) p { rx(a*b) p; } input float t; g(0.5, t) q[0];", ["g(?, t) q[0]"]),
    "indices": ("rx(0.5) q[2*1]; rx(1) q[0:2:2];", ["rx(?) q[2*1]; rx(?) q[0:2:2]"]),
    "broadcasting": ("rx(0.5) q;", ["rx(?) q"]),
    "comments": ("rx /* (1) it's */ (0.5) // rx(0.5) q;\n q[0];", ["rx (?) q[0];"]),
    "brackets": ("rx((1 + 2)*(3.5 - sin(0.1))) q[0];", ["rx(?) q[0]"]),
    "a declaration in between": ("bit a = measure q[0]; rx(0.5) q[1];", ["rx(?) q[1]"]),
    "names in other alphabets": ("input float θ; rx(θ) q[0]; rz(π/2) q[0]; rx(0.5) q[1];", ["rx(θ)", "rz(?)", "rx(?)"]),
}


@pytest.mark.parametrize("name", sorted(LIFTED))
def test_what_is_lifted(name):
    body, expected = LIFTED[name]
    source = f"{V3}qubit[3] q;\n{body}"
    assert all(part in scan(source).text for part in expected)
    assert parse(source).is_skeleton
    assert assert_meaning(source)


LEFT = {
    "pi declared anew": "const float pi = 3.0; rx(pi) q[0];",
    "pi as an input": "input float[64] pi; rx(pi) q[0];",
    "pi in a loop": "for int pi in [0:1] { rx(pi) q[0]; }",
    "a choice by a number": "gate g(a) p { rx((a < 1)*a) p; } g(0.5) q[0];",
    "a rounded number": "gate g(a) p { rx(floor(a)/2) p; } g(4.5) q[0];",
    "a whole number": "gate g(a) p { rx(int(a)) p; } g(4.5) q[0];",
    "a root of a number below zero": "gate g(a) p { rx(sqrt(a + 1)) p; } g(0.5) q[0]; g(-1.0) q[0];",
}


@pytest.mark.parametrize("name", sorted(LEFT))
def test_what_a_number_decides_goes_the_whole_way(name):
    source = f"{V3}qubit[3] q;\n{LEFT[name]}"
    inputs = [0.5] * ("input" in name)
    assert_same(parse_program(source), parse_text(source), inputs)
    if name != "a root of a number below zero":
        assert not parse(source).is_skeleton


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("rx(1/2) q[0];", "inexact-division"),
        ("rx(1/0) q[0];", "angle-not-finite"),
        ("rx(1e999) q[0];", "angle-not-finite"),
        ("rx(sqrt(-1.0)) q[0];", "angle-not-finite"),
        ("rx(9223372036854775808) q[0];", "integer-too-large"),
        (f"rx({'1' * 65}) q[0];", "literal-too-long"),
        ("gate g(a) p { rx(1/a) p; } g(0.0) q[0];", "angle-not-finite"),
        ("gate g(a) p { rx(1/exp(a)) p; } g(1000) q[0];", "angle-not-finite"),
        ("gate g(a) p { rx(floor(a)/2) p; } g(3.5) q[0];", "inexact-division"),
        ("gate g(a) p { gphase(floor(a)/2); } g(3.5) q[0];", "inexact-division"),
        ("gate g(a, b) p { rx(sqrt(a)*b) p; } input float t; g(-1, t) q[0];", "angle-not-finite"),
        ("rx(1e5_0) q[0];", "syntax"),
        ("rx(?) q[0];", "syntax"),
        ("rx(0.5 q[0];", "syntax"),
        ("rx(0.5)) q[0];", "syntax"),
        ("rx(inf) q[0];", "undefined"),
        ("rx(0.5)\x0bq[0];", "syntax"),
        ("rx(0.5)\xa0q[0];", "syntax"),
        ("rx(0.5, ) q[0], q[1];", "gate-shape"),
        ("if(0.5) x q[0];", "not-an-integer"),
        ('include "stdgates.inc/*"*/";', "syntax"),
    ],
)
def test_what_is_refused_is_refused_as_before(body, code):
    source = f"{V3}qubit[3] q;\n{body}"
    with pytest.raises(ProgramRejected) as before:
        parse_text(source)
    with pytest.raises(ProgramRejected) as now:
        parse_program(source)
    assert now.value.code == code
    assert (now.value.code, now.value.reason, now.value.line) == (
        before.value.code,
        before.value.reason,
        before.value.line,
    )


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_no_hostile_program_has_an_accepted_skeleton(name):
    source, _ = HOSTILE[name]
    skeleton = scan(source)
    if skeleton is not None:
        with pytest.raises(ProgramRejected):
            parse_skeleton(skeleton).bound(skeleton.literals)


def test_version_2_divides_in_its_own_way():
    source = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nrx(1/2) q[0];\nu3(2^3, ln(2), pi) q[1];\nu2(0,pi) q[0];'
    assert scan(source).literals == [0.5, 8.0, math.log(2), math.pi, 0.0, math.pi]
    assert assert_meaning(source)
    assert scan(source.replace("OPENQASM 2.0;\n", "")).literals == scan(source).literals
    assert "rx(1/2)" in scan(source.replace("2.0", "3.0", 1)).text


def test_the_text_between_the_lines_does_not_matter():
    plain = f"{V3}qubit[2] q; rx(0.5) q[0]; cx q[0], q[1];"
    spaced = f'{V3}\n// a comment with ( and " and ?\nqubit[2]\tq;\n  rx(0.75) /* here */ q[0];\r\ncx q[0],\n q[1];'
    assert scan(plain).sha256 == scan(spaced).sha256
    assert scan(plain.encode()).sha256 == scan(plain).sha256


def test_a_text_that_is_too_long_is_not_scanned():
    assert scan("x" * 150_001) is None
    assert scan("rx(0.5) q; \0") is None


# ------------------------------------------------------------------------------------------------------------ fuzzing

NEW = (
    V3 + "input float w; const int n = 3; gate g(b, a) x, y { ctrl @ rx(2*b) x, y; inv @ U(a, b, -a) x; }\n"
    "qubit[n] q; bit[n] c; for int i in [0:n-2] { rz(0.5) q[i]; } g(0.25, pi) q[0], q[2]; if (n == 3) { rx(1) q[1]; }\n"
    "ctrl(2) @ rx(pi/2) q[0], q[1], q[2]; U(w, .5, -1e-3) q[0]; gphase(2.5); barrier q; c = measure q;"
)
OLD = (
    'OPENQASM 2.0; include "qelib1.inc"; gate f(a) p, q { cu1(a/2) p, q; } qreg q[3]; creg c[3];'
    " f(pi^2) q[0], q[1]; u3(0.1, -.2, 3e-1) q[1]; rx(1/2) q[2]; barrier q; measure q -> c;"
)
PIECES = [
    *[
        "0.5",
        "pi",
        "2",
        "1/2",
        "-",
        "(",
        ")",
        ",",
        ";",
        "w",
        "q[0]",
        "/*",
        "*/",
        "//",
        "\n",
        '"',
        "?",
        "{",
        "}",
        "@",
        "#",
    ],
    *["gate ", "if", "for", "sin(", "floor(", "^", "\x0b", "\xa0", "\u03c0", "rx(0.5) q[0];", "float pi = 1.0;", " "],
]


@settings(max_examples=400)
@given(st.sampled_from([NEW, OLD]), st.data())
def test_whatever_is_written_the_scan_changes_no_meaning(seed, data):
    text = seed
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + data.draw(st.integers(0, 3)) :]
    assert_meaning(text)
    now, before = answer(parse_program, text), answer(parse_text, text)
    if "refused" in (now[0], before[0]):
        assert now == before
    else:
        assert_same(now, before, [0.37 + 0.2 * k for k in range(len(now.angles.inputs))])


def answer(parser, text):
    try:
        return parser(text)
    except ProgramRejected as refused:
        return "refused", refused.code, refused.line


@given(st.text(alphabet="gate(){};,0.5 pix\n/*?@q[]", max_size=300))
def test_any_text_is_scanned(text):
    skeleton = scan(text)
    assert skeleton is None or skeleton.text.count("?") == len(skeleton.literals)


# --------------------------------------------------------------------------------------------------- numbers left open


def test_numbers_that_only_literals_make_are_worked_out_once_and_checked():
    source = V3 + "input float t; gate g(a, b) p { rx(a*b) p; rz(a/2) p; } qubit q; g(0.5, t) q; g(3.0, 4.0) q;"
    opened = parse(source).program
    assert opened.angles.literals == ()
    program = opened.bound([0.5, 3.0, 4.0])
    np.testing.assert_array_equal(
        program.angles.evaluate(np.array([[1.0], [2.0]])), [[0.5, 0.25, 12.0, 1.5], [1.0, 0.25, 12.0, 1.5]]
    )
    assert parse_program(source) == program


@pytest.mark.parametrize("sets", [1, 3, 64, 65, 200])
def test_a_row_depends_on_its_own_set_alone(sets):
    source = V3 + "input float a; input float b; qubit q; rx(0.3*a - 1) q; U(a, a + b, 0.7) q; rz(b/3) q; p(sin(b)) q;"
    angles = parse_program(source).angles
    numbers = np.random.default_rng(5).normal(size=(sets, 2))
    whole = angles.evaluate(numbers)
    alone = np.concatenate([angles.evaluate(row[None]) for row in numbers])
    np.testing.assert_array_equal(whole, alone)


def test_a_stored_program_is_what_it_was():
    source = V3 + "input float t; gate g(a, b) p { rx(a*sin(b)) p; } qubit[2] q; g(0.5, t) q[0]; rzz(0.5) q[0], q[1];"
    program = parse(source).program
    data = encode_program(program)
    assert decode_program(data) == program
    assert any(index >= LITERALS for column in program.angles.columns[1:] for index, _ in column.terms)
    # Another digest means that texts have other programs than before: raise EDITION with it.
    assert (EDITION, hashlib.sha256(data).hexdigest()) == (
        1,
        "f657e6143ac901b7f329de41c6032039ae3e4a8a617bdea9f75a492c701ea3d8",
    )


@pytest.mark.parametrize("data", [b"", b"\x90", b"\x92\xa1x\x90", b"\xff" * 9])
def test_other_bytes_are_no_program(data):
    with pytest.raises(ValueError, match="no stored program"):
        decode_program(data)
