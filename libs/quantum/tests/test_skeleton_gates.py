"""Open numbers in the bodies of random gates: what they become is what the parser makes of the numbers themselves."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_quantum.parse import parse_program, parse_text
from quire_quantum.rejection import ProgramRejected

NUMBERS = ["0.5", "1", "2", "0", "-1", "3.5", "pi", "pi/2", "1e-3", "1/2", "4/2", "-0.0", "2**3", "sqrt(2)", "0x10"]
FUNCTIONS = ["sin", "exp", "sqrt", "floor", "ceiling", "log", "arcsin", "int", "float", "bool"]


def expressions(names):
    leaves = st.sampled_from([*names, *names, "2", "0.5", "3", "pi"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds("({}{}{})".format, inner, st.sampled_from("+-*/"), inner),
            st.builds("({}{}{})".format, inner, st.sampled_from(["<", "==", "%", "**", "&&"]), inner),
            st.builds("{}({})".format, st.sampled_from(FUNCTIONS), inner),
            st.builds("-{}".format, inner),
        ),
        max_leaves=4,
    )


arguments = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), expressions(["t", "w"]))
calls = st.one_of(
    st.builds("g({}, {}) q[0], q[1];".format, arguments, arguments),
    st.builds("ctrl @ U({}, {},{}) q[0], q[2];".format, arguments, arguments, arguments),
    st.builds("for int i in [0:1] {{ rz({}) q[i]; }}".format, arguments),
    st.builds(
        "{}{}({}) q[1];".format,
        st.sampled_from(["pow(2) @ ", "pow(0.5) @ ", "inv @ ", ""]),
        st.sampled_from(["rx", "p"]),
        arguments,
    ),
)
bodies = st.builds(
    "{}({}) p; {}({}) p, q;".format,
    st.sampled_from(["rx", "rz", "p"]),
    expressions(["a", "b"]),
    st.sampled_from(["ctrl @ ry", "inv @ rzz", "ctrl @ inv @ p"]),
    expressions(["a", "b"]),
)


def answer(parse, source, inputs):
    """The operations with the values of their angles, or why there are none."""
    try:
        program = parse(source)
        row = program.angles.evaluate(np.array([inputs]))[0]
    except ProgramRejected as refused:
        return [(refused.code, refused.reason, refused.line)], np.zeros(0)
    operations = program.structure.operations
    values = [scale * row[parameter] + offset for step in operations for parameter, scale, offset in step.angles]
    return [(step.name, step.qubits) for step in operations], np.array(values)


@settings(max_examples=150)
@given(bodies, st.lists(calls, min_size=1, max_size=4), st.sampled_from([[0.37, 0.61], [2.0, 3.0], [0.0, -1.0]]))
def test_a_program_means_what_its_text_means(body, lines, inputs):
    source = (
        'OPENQASM 3.0; include "stdgates.inc"; input float t; input float w;\n'
        f"gate g(a, b) p, q {{ {body} }}\nqubit[3] q;\n" + "\n".join(lines)
    )
    ours, values = answer(parse_program, source, inputs)
    theirs, expected = answer(parse_text, source, inputs)
    assert ours == theirs
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-9)
