"""Broken programs of every kind: each is parsed or refused, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_quantum.lexer import tokenize
from quire_quantum.parse import parse_program
from quire_quantum.rejection import ProgramRejected
from quire_quantum.structure import Structure

VERSION_3 = """
OPENQASM 3.0; include "stdgates.inc";
input float w; const int n = 3;
gate g(b, a) x, y { ctrl @ rx(2*b) x, y; inv @ u(a, b, -a) x; }
qubit[n] q; bit[n] c;
for int i in [0:n-2] { cx q[i], q[i+1]; rz(w*i/2.0) q[i]; }
g(sin(w), pi) q[0], q[2]; let r = q[0:1]; h r; barrier;
if (n == 3) { pow(2) @ x q[n-1]; } else { reset q; }
c = measure q;
"""
VERSION_2 = """
OPENQASM 2.0; include "qelib1.inc";
gate f(a) p, q { cu1(a/2) p, q; }
qreg q[2]; creg c[2];
f(pi^2) q[0], q[1]; u3(0.1, -.2, 3e-1) q[1]; barrier q; measure q -> c;
"""
WORDS = """
( ) [ ] { } ; , : @ + - * / % ^ = < > ! . ** ++ -> == << 0 1 2 3 0.5 1e308 9223372036854775807 -1 true pi w n q c x h
gate for in int float bool ctrl negctrl pow inv gphase mcx measure let bit qubit input const if sqrt mod floor popcount
"""
PIECES = WORDS.split()


@settings(max_examples=400)
@given(st.sampled_from([VERSION_3, VERSION_2]), st.data())
def test_whatever_is_written_is_parsed_or_refused(seed, data):
    words = [token.text for token in tokenize(seed)]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(words) - 1))
        words[at : at + data.draw(st.integers(0, 2))] = data.draw(st.lists(st.sampled_from(PIECES), max_size=3))
    try:
        program = parse_program(" ".join(words))
    except ProgramRejected:
        return
    assert Structure.from_text(program.structure.to_text()) == program.structure


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_noise_is_refused(noise):
    with pytest.raises(ProgramRejected):
        parse_program(noise)
