"""Programs that want to do harm, each with the refusal it must get; made here so that no such file lies around."""

from __future__ import annotations

V2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
Q3 = V3 + "qubit[3] q;\nbit[3] c;\n"
SECRET = "/etc/passwd"  # noqa: S105  (a path; what stands there is what must not come out)


def doubling(levels: int, head: str = V2) -> str:
    """Each gate is the one before it twice: 2**levels gates from a few lines."""
    lines = [f"gate g{level + 1} a {{ g{level} a; g{level} a; }}" for level in range(levels)]
    declare = "qreg q[1];" if head == V2 else "qubit[1] q;"
    return head + "gate g0 a { x a; x a; }\n" + "\n".join(lines) + f"\n{declare}\ng{levels} q[0];\n"


# The rows of the measurements that this guard answers to, then others.
HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "one megabyte of gates": (Q3 + "x q[0];\n" * 131_072, "program-too-large"),
    "500 nested parentheses": (Q3 + "rx(" + "(" * 500 + "1" + ")" * 500 + ") q[0];", "nesting"),
    "a huge qreg": (V2 + "qreg q[100000000];", "too-many-qubits"),
    "a huge qubit register": (V3 + "qubit[100000000] q;", "too-many-qubits"),
    "include of a secret file, version 2": (f'OPENQASM 2.0;\ninclude "{SECRET}";\nqreg q[1];', "include-refused"),
    "include of a relative path, version 2": ('OPENQASM 2.0;\ninclude "../../../etc/passwd";', "include-refused"),
    "include of a secret file, version 3": (f'OPENQASM 3.0;\ninclude "{SECRET}";\nqubit q;', "include-refused"),
    "25 doublings": (doubling(25), "gate-expansion"),
    "a loop of a million": (Q3 + "for int i in [0:1000000] { x q[0]; }", "loop-too-long"),
    "while true": (Q3 + "while (true) { x q[0]; }", "control-flow"),
    "a billion qubits": (V3 + "qubit[1000000000] q;", "too-many-qubits"),
    # ------------------------------------------------------------------------------------------------- includes
    "include in single quotes": (f"OPENQASM 2.0;\ninclude '{SECRET}';", "include-refused"),
    "include by another path to the library": ('OPENQASM 2.0;\ninclude "./qelib1.inc";', "include-refused"),
    "include split over lines": (f'OPENQASM 3.0;\ninclude\n\n"{SECRET}"\n;', "include-refused"),
    "include behind a comment": (f'OPENQASM 3.0;\ninclude /* "stdgates.inc"; */ "{SECRET}";', "include-refused"),
    "include without a file": ("OPENQASM 3.0;\ninclude", "include-refused"),
    "include in a loop": (Q3 + 'for int i in [0:2] { include "stdgates.inc"; }', "syntax"),
    # ------------------------------------------------------------------------------------- bytes that are no text
    "NUL": (Q3 + "x q[0];\0", "nul"),
    "not UTF-8": (b"OPENQASM 3.0;\nqubit[1] q; // \xff\xfe", "not-utf8"),
    "lone surrogate": (Q3 + "// \ud800", "not-utf8"),
    "empty": ("", "no-qubits"),
    "binary with a QPY header": (b"QISKIT\x0d\x02\x06\x02" + bytes(range(1, 64)), "syntax"),
    "a pickle": (b"cos\nsystem\n(S'id'\ntR.", "syntax"),
    "HTML": ("<html><script>alert(1)</script></html>", "syntax"),
    # ---------------------------------------------------------------------------------------- what is left out
    "pragma": (Q3 + "#pragma braket result state_vector\n", "pragma-refused"),
    "pragma word": (Q3 + "pragma verbatim\n", "pragma-refused"),
    "cal": (Q3 + "cal { play(drive, w); }", "calibration-refused"),
    "defcal": (Q3 + "defcal x $0 { }", "calibration-refused"),
    "defcalgrammar": (V3 + 'defcalgrammar "openpulse";', "calibration-refused"),
    "extern": (Q3 + "extern system(int) -> int;", "extern-refused"),
    "opaque": (V2 + "qreg q[1];\nopaque magic a;\nmagic q[0];", "opaque-refused"),
    "subroutine that calls itself": (Q3 + "def f(qubit a) { f(a); } f(q[0]);", "subroutine-refused"),
    "delay": (Q3 + "delay[1000s] q[0];", "timing-refused"),
    "box": (Q3 + "box[1ns] { x q[0]; }", "timing-refused"),
    "switch": (Q3 + "switch (1) { case 1 { x q[0]; } }", "control-flow"),
    "if on a measured bit": (Q3 + "c[0] = measure q[0]; if (c[0] == 1) x q[1];", "control-flow"),
    "if on a register, version 2": (V2 + "qreg q[1]; creg c[1]; if(c==1) x q[0];", "control-flow"),
    "physical qubits": (V3 + "x $0; x $99999999;", "physical-qubit"),
    "arrays": (Q3 + "array[int[32], 1000000, 1000000] a;", "type-refused"),
    # ----------------------------------------------------------------------------------------- bombs of all kinds
    "nested loops that multiply": (
        Q3 + "for int a in [0:999] { for int b in [0:999] { for int c2 in [0:999] { x q[0]; } } }",
        "loop-too-long",
    ),
    "nested loops without a gate": (
        Q3 + "for int a in [0:999] { for int b in [0:999] { int x1 = 1; } }",
        "loop-too-long",
    ),
    "a heavy body in a short loop": (Q3 + "for int a in [0:99999] {" + "x q[0];" * 100 + "}", "loop-too-long"),
    "a loop up to 2**62": (Q3 + "for int i in [0:4611686018427387904] { x q[0]; }", "loop-too-long"),
    "a loop up to 2**63 - 1": (Q3 + "for int i in [0:9223372036854775807] { x q[0]; }", "loop-too-long"),
    "a slice up to 2**63 - 1": (Q3 + "x q[0:9223372036854775807];", "loop-too-long"),
    "a loop with a step of zero": (Q3 + "for int i in [0:0:10] { x q[0]; }", "loop-unbounded"),
    "a loop without an end": (Q3 + "for int i in [0:] { x q[0]; }", "loop-unbounded"),
    "a loop that broadcasts": (
        V3 + "qubit[200] q; for int i in [0:90000] { h q; }",
        "too-many-gates",
    ),
    "qubits in many registers": (V3 + "".join(f"qubit[100] q{i};\n" for i in range(3)), "too-many-qubits"),
    "qubits by an expression": (V3 + "qubit[10**12] q;", "too-many-qubits"),
    "qubits by a constant": (V3 + "const int n = 1 << 40; qubit[n] q;", "too-many-qubits"),
    "qubits in hexadecimal": (V3 + "qubit[0xffffffff] q;", "too-many-qubits"),
    "qubits with underscores": (V3 + "qubit[1_000_000] q;", "too-many-qubits"),
    "no qubits at all": (V3 + "qubit[0] q;", "too-many-qubits"),
    "a negative register": (V3 + "qubit[-5] q;", "too-many-qubits"),
    "bits without end": (V3 + "qubit q; bit[4000000000] c;", "too-many-bits"),
    "60 doublings, version 3": (doubling(60, V3), "gate-expansion"),
    "doublings by power": (
        V3
        + "qubit q;"
        + "".join(f"gate g{i} a {{ pow(64) @ {'x' if not i else f'g{i - 1}'} a; }}" for i in range(9))
        + "g8 q;",
        "gate-expansion",
    ),
    "a million gates from one use": (doubling(17), "too-many-gates"),
    "a gate that uses itself": (V3 + "gate g a { g a; } qubit q; g q;", "gate-recursion"),
    "gates that use each other": (V3 + "gate g a { f a; } gate f a { g a; } qubit q; g q;", "gate-unknown"),
    "definitions 100 deep": (
        V3
        + "gate g0 a { x a; }\n"
        + "".join(f"gate g{i} a {{ g{i - 1} a; }}\n" for i in range(1, 100))
        + "qubit q; g99 q;",
        "gate-too-deep",
    ),
    "a thousand controls": (Q3 + "ctrl(1000) @ x q[0];", "modifier"),
    "negative controls": (Q3 + "ctrl(-1) @ x q[0];", "modifier"),
    "power of a million": (Q3 + "pow(1000000) @ x q[0];", "modifier"),
    "powers of powers": (Q3 + "pow(64) @ " * 4 + "h q[0];", "too-many-gates"),
    "an infinite power": (Q3 + "pow(1e400) @ x q[0];", "angle-not-finite"),
    "a number of 100,000 digits": (Q3 + "rx(" + "9" * 100_000 + ") q[0];", "literal-too-long"),
    "an exponent of 100,000 digits": (Q3 + "rx(1e" + "9" * 100_000 + ") q[0];", "literal-too-long"),
    "an infinite literal": (Q3 + "rx(1e999) q[0];", "angle-not-finite"),
    "an integer beyond 64 bits": (Q3 + "rx(99999999999999999999) q[0];", "integer-too-large"),
    "a tower of powers": (Q3 + "rx(9**9**9**9) q[0];", "integer-too-large"),
    "a shift by a million": (Q3 + "rx(1 << 1000000) q[0];", "integer-too-large"),
    "division by zero": (Q3 + "rx(1.0/0) q[0];", "angle-not-finite"),
    "root of a negative number": (Q3 + "rx(sqrt(-1)) q[0];", "angle-not-finite"),
    "a chain of minus signs": (Q3 + "rx(" + "-" * 50_000 + "1) q[0];", "nesting"),
    "a chain of powers": (Q3 + "rx(1" + "**1" * 30_000 + ") q[0];", "nesting"),
    "nested blocks": (Q3 + "if (true) {" * 100 + "}" * 100, "nesting"),
    "nested blocks without braces": (Q3 + "if (true) " * 5_000 + "x q[0];", "nesting"),
    "nested indices": (Q3 + "x q" + "[0" * 100 + "]" * 100 + ";", "nesting"),
    "an expression that squares itself": (
        V3 + "input float t; qubit q; float a = t*t;" + "a = a*a;" * 60 + "rx(a) q;",
        "angle-too-large",
    ),
    "a product of 10,000 inputs": (V3 + "input float t; qubit q; rx(" + "t*" * 10_000 + "t) q;", "angle-too-large"),
    "a million tokens": (Q3 + ";" * 200_000, "too-many-tokens"),
    "5,000 inputs": (V3 + "qubit q;" + "".join(f"input float t{i};" for i in range(5_000)), "too-many-inputs"),
    "an alias that doubles": (
        V3 + "qubit[2] a0;" + "".join(f"let a{i + 1} = a{i} ++ a{i};" for i in range(40)),
        "too-many-bits",
    ),
    "brackets that do not match": (Q3 + "x q[0);", "syntax"),
    "a comment without an end": (Q3 + "/* x q[0];", "syntax"),
    "a string without an end": (Q3 + 'bit[2] d = "00;', "syntax"),
    "an index beyond the register": (Q3 + "x q[3];", "index"),
    "the same qubit twice": (Q3 + "cx q[0], q[0];", "repeated-qubit"),
    "registers of different sizes": (Q3 + "qubit[2] r; cx q, r;", "broadcast"),
    "a gate that is not there": (Q3 + "frobnicate q[0];", "gate-unknown"),
    "a very long name": (Q3 + "x" * 200_000 + " q[0];", "gate-unknown"),
    "format strings in a name": (Q3 + "rx({0.__class__}) q[0];", "syntax"),
    "right-to-left override": (Q3 + "x q[0]; \u202e", "syntax"),
    "another version": ("OPENQASM 9.9; qubit q;", "version"),
    "an input that the circuit depends on": (V3 + "input int n; qubit q;", "input-type"),
    "a measurement that goes nowhere": (Q3 + "measure q;", "measure-lost"),
}
