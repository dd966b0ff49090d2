"""Programs that want to hurt: typed rejections, no file's content in any answer, and the house still works."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from quire.client import Client

HEAD3 = 'OPENQASM 3.0; include "stdgates.inc"; '
HEAD2 = 'OPENQASM 2.0; include "qelib1.inc"; '
HOSTILE = {
    "a file by absolute path": 'OPENQASM 2.0; include "/etc/passwd"; qreg q[1];',
    "a file by relative path": 'OPENQASM 2.0; include "../../../../etc/passwd"; qreg q[1];',
    "a file in OpenQASM 3": 'OPENQASM 3.0; include "/etc/hostname"; qubit q;',
    "a hundred million qubits, 3": HEAD3 + "qubit[100000000] q;",
    "a hundred million qubits, 2": HEAD2 + "qreg q[100000000];",
    "a million iterations": HEAD3 + "qubit q; for int i in [0:1000000] { h q; }",
    "an endless loop": HEAD3 + "qubit q; while (true) { h q; }",
    "nested parentheses": HEAD3 + "qubit q; rx(" + "(" * 500 + "1" + ")" * 500 + ") q;",
    "gate doubling": HEAD3
    + "gate g0 a { h a; h a; } "
    + " ".join(f"gate g{n} a {{ g{n - 1} a; g{n - 1} a; }}" for n in range(1, 26))
    + " qubit q; g25 q;",
    "a pragma": "OPENQASM 3.0; #pragma braket verbatim\nqubit q;",
    "an unknown gate": HEAD3 + "qubit q; frobnicate q;",
    "not a program": "import os; os.system('true')",
    "a NUL byte": "OPENQASM 3.0; qubit q;\0",
    "a division by zero": HEAD3 + "qubit q; rx(1/0) q;",
    "a huge power": HEAD3 + "qubit q; pow(1000000) @ x q;",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_rejected_in_words(client: Client, name: str) -> None:
    start = time.monotonic()
    view = client.submit({"kind": "sample", "program": HOSTILE[name]}).wait(30)
    took = time.monotonic() - start
    assert view.state == "rejected", view
    assert took < 16
    assert view.problems
    assert view.problems[0].pointer == "/program"
    text = repr(view)
    for leak in ("root:", "/bin/", "nobody", "Traceback", "site-packages"):
        assert leak not in text


def test_the_house_still_works(client: Client, examples: dict[str, dict[str, object]]) -> None:
    assert client.submit(examples["bell.json"]).wait(60).state == "completed"
