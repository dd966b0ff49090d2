"""The gates that programs may use without defining them: the canonical set, and others written in terms of it.

Meanings, phases included, are those of Qiskit's gates of the same name; the tests compare each with Qiskit's.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from quire_quantum.grammar import parse_source
from quire_quantum.lexer import tokenize
from quire_quantum.structure import GATES
from quire_quantum.syntax import Define

CANONICAL_NAMES: Final = {name: name for name in GATES} | {
    "U": "u",
    "u3": "u",
    "u1": "p",
    "phase": "p",
    "cu1": "cp",
    "cphase": "cp",
    "CX": "cx",
    "cnot": "cx",
    "toffoli": "ccx",
    "fredkin": "cswap",
    "i": "id",
    "v": "sx",
}
"""Name in a program to canonical gate of the same meaning."""

_SOURCE: Final = """
gate u0(t) a { id a; }
gate u2(f, l) a { u(pi/2, f, l) a; }
gate r(t, f) a { u(t, f-pi/2, pi/2-f) a; }
gate rzx(t) a, b { h b; rzz(t) a, b; h b; }
gate iswap a, b { s a; s b; h a; cx a, b; cx b, a; h b; }
gate dcx a, b { cx a, b; cx b, a; }
gate ecr a, b { rzx(pi/4) a, b; x a; rzx(-pi/4) a, b; }
gate cs a, b { ctrl @ s a, b; }
gate csdg a, b { ctrl @ sdg a, b; }
gate csx a, b { ctrl @ sx a, b; }
gate cu3(t, f, l) a, b { ctrl @ u(t, f, l) a, b; }
gate cu(t, f, l, g) a, b { p(g) a; ctrl @ u(t, f, l) a, b; }
gate ccz a, b, c { ctrl(2) @ z a, b, c; }
gate c3x a, b, c, d { ctrl(3) @ x a, b, c, d; }
gate mcx a, b, c, d { ctrl(3) @ x a, b, c, d; }
gate c4x a, b, c, d, e { ctrl(4) @ x a, b, c, d, e; }
gate c3sqrtx a, b, c, d { ctrl(3) @ sx a, b, c, d; }
gate c3sx a, b, c, d { ctrl(3) @ sx a, b, c, d; }
gate rccx a, b, c { h c; t c; cx b, c; tdg c; cx a, c; t c; cx b, c; tdg c; h c; }
gate rcccx a, b, c, d {
  h d; t d; cx c, d; tdg d; h d; cx a, d; t d; cx b, d; tdg d; cx a, d; t d; cx b, d; tdg d; h d; t d; cx c, d; tdg d;
  h d;
}
gate rc3x a, b, c, d { rcccx a, b, c, d; }
gate xx_plus_yy(t, f) a, b {
  rz(f) a; sdg b; sx b; s b; s a; cx b, a; ry(-t/2) b; ry(-t/2) a; cx b, a; sdg a; sdg b; sxdg b; s b; rz(-f) a;
}
gate xx_minus_yy(t, f) a, b {
  rz(-f) b; sdg a; sx a; s a; s b; cx a, b; ry(t/2) a; ry(-t/2) b; cx a, b; sdg b; sdg a; sxdg a; s a; rz(f) b;
}
"""


@cache
def library() -> dict[str, Define]:
    """The definitions of the gates outside of the canonical set, by name."""
    statements = parse_source(tokenize(_SOURCE)).statements
    return {statement.name: statement for statement in statements if isinstance(statement, Define)}
