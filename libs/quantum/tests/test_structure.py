"""One structure, one text, one address; and the text means the same to Qiskit."""

import math
import subprocess
import sys

import pytest
import qiskit.qasm3
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Operator

from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum.structure import GATES, Angle, Operation, Structure, StructureError

QUBITS, BITS, PARAMETERS = 4, 3, 3
finite = st.floats(allow_nan=False, allow_infinity=False)
angles = st.builds(Angle, st.integers(0, PARAMETERS - 1), finite, finite)


@st.composite
def operations(draw, names=(*GATES, "measure", "reset", "barrier")):
    name = draw(st.sampled_from(sorted(names)))
    qubits = draw(st.permutations(range(QUBITS)))
    if name == "measure":
        return Operation(name, (qubits[0],), (), (draw(st.integers(0, BITS - 1)),))
    if name == "reset":
        return Operation(name, (qubits[0],))
    if name == "barrier":
        return Operation(name, tuple(qubits[: draw(st.integers(1, QUBITS))]))
    shape = GATES[name]
    return Operation(name, tuple(qubits[: shape.qubits]), tuple(draw(angles) for _ in range(shape.angles)))


structures = st.builds(
    lambda steps: Structure(QUBITS, BITS, PARAMETERS, tuple(steps)), st.lists(operations(), max_size=12)
)


@given(structures)
def test_the_text_reads_back_to_the_same_structure_and_address(structure):
    again = Structure.from_text(structure.to_text())
    assert again == structure
    assert (again.to_text(), again.sha256) == (structure.to_text(), structure.sha256)


@given(structures, st.data())
def test_a_changed_text_is_refused_or_is_another_structure(structure, data):
    text = structure.to_text()
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from([*" \n;0123456789pq[]()*+-.ehrx", ""])) + text[at + 1 :]
    if changed != text:
        try:
            again = Structure.from_text(changed)
        except StructureError:
            return
        assert again != structure


@settings(max_examples=25)
@given(st.lists(operations(names=GATES), min_size=1, max_size=6))
def test_qiskit_reads_the_text_as_the_same_unitary(steps):
    modest = tuple(
        step._replace(
            angles=tuple(
                Angle(a.parameter, math.remainder(a.scale, 4), math.remainder(a.offset, 7)) for a in step.angles
            )
        )
        for step in steps
    )
    structure = Structure(QUBITS, BITS, PARAMETERS, modest)
    values = {"p0": 0.3, "p1": -1.2, "p2": 2.5}
    theirs = qiskit.qasm3.loads(structure.to_text())
    theirs = theirs.assign_parameters({p: values[p.name] for p in theirs.parameters})
    ours = to_circuit(structure)
    ours = ours.assign_parameters({p: list(values.values())[p.index] for p in ours.parameters})
    theirs.remove_final_measurements()
    assert Operator(theirs).equiv(Operator(ours))


def test_the_text_is_what_it_has_always_been():
    structure = Structure(
        2,
        2,
        2,
        (
            Operation("h", (0,)),
            Operation("ryy", (0, 1), (Angle(0),)),
            Operation("u", (1,), (Angle(0, 2.0), Angle(1, 1.0, -0.5), Angle(1, -1.5, 1e-7))),
            Operation("barrier", (0, 1)),
            Operation("reset", (1,)),
            Operation("measure", (0,), (), (1,)),
        ),
    )
    assert structure.to_text() == (
        "OPENQASM 3.0;\n"
        'include "stdgates.inc";\n'
        "gate sxdg a { inv @ sx a; }\n"
        "gate ryy(t) a, b { sx a; sx b; cx a, b; rz(t) b; cx a, b; sxdg b; sxdg a; }\n"
        "input float p0;\n"
        "input float p1;\n"
        "qubit[2] q;\n"
        "bit[2] c;\n"
        "h q[0];\n"
        "ryy(p0) q[0], q[1];\n"
        "U(2.0*p0, p1-0.5, -1.5*p1+1e-07) q[1];\n"
        "barrier q[0], q[1];\n"
        "reset q[1];\n"
        "c[1] = measure q[0];\n"
    )
    assert structure.sha256 == "e29f50de96fc4a69353ba3a0485aa726fc000f99ebcedf968d38aa33b87febfa"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OPENQASM 3.0;\n",
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[1] q;\nh q[0];',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[1] q;\nh  q[0];\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[1] q;\nh q[1];\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[01] q;\nh q[0];\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[1] q;\nu q[0];\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\ncx q[0], q[0];\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[1] q;\nrx(p0) q[0];\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float p0;\nqubit[1] q;\nrx(0.5) q[0];\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float p0;\nqubit[1] q;\nrx(1.0*p0) q[0];\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float p0;\nqubit[1] q;\nrx(1e999*p0) q[0];\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float p0;\nqubit[1] q;\nrx(p99999999999999999999) q[0];\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[1000000] q;\n',
        'OPENQASM 3.0;\ninclude "/etc/passwd";\nqubit[1] q;\n',
        'OPENQASM 3.0;\ninclude "stdgates.inc";\ngate h a { x a; }\nqubit[1] q;\nh q[0];\n',
    ],
)
def test_any_other_text_is_refused(text):
    with pytest.raises(StructureError):
        Structure.from_text(text)


@pytest.mark.parametrize(
    "operation",
    [
        Operation("rx", (0,)),
        Operation("h", (0,), (Angle(0),)),
        Operation("cx", (0,)),
        Operation("cx", (0, 0)),
        Operation("h", (-1,)),
        Operation("h", (2,)),
        Operation("measure", (0,)),
        Operation("measure", (0,), (), (9,)),
        Operation("barrier", ()),
        Operation("teleport", (0, 1)),
        Operation("rx", (0,), (Angle(1),)),
        Operation("rx", (0,), (Angle(0, math.inf),)),
        Operation("rx", (0,), (Angle(0, 1.0, math.nan),)),
    ],
)
def test_an_operation_that_breaks_the_form_is_refused(operation):
    with pytest.raises(StructureError):
        Structure(2, 2, 1, (operation,))


def test_the_light_modules_do_not_import_an_sdk():
    modules = "structure, counts, observables, executor, fake_executor, sandbox, parse, braket_program"
    code = f"import sys; from quire_quantum import {modules}; sys.exit(bool({{'qiskit', 'braket'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
