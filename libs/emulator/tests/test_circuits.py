"""The emulator's own simulation against those of Braket and Qiskit, and its noise against what it shall be."""

import math
import warnings
from collections import Counter

import braket.circuits.gates as braket_gates
import numpy as np
import pytest
from braket.default_simulator import StateVectorSimulator
from braket.ir.openqasm import Program
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit.library import standard_gates
from qiskit.quantum_info import Operator, Statevector

from quire_emulator.circuits import CannotRunError, distribution, shots
from quire_emulator.configuration import Noise
from quire_emulator.flat import NotFlatError, read_flat
from quire_emulator.gates import FIXED, TURNED, unitary
from quire_emulator.sampling import Sampler

ANGLES = [0.3, 0.7, 1.1]
BRAKET = {
    "I": "i", "X": "x", "Y": "y", "Z": "z", "H": "h", "S": "s", "Si": "si", "T": "t", "Ti": "ti", "V": "v", "Vi": "vi",
    "CNot": "cnot", "CY": "cy", "CZ": "cz", "CV": "cv", "Swap": "swap", "ISwap": "iswap", "CCNot": "ccnot",
    "CSwap": "cswap", "ECR": "ecr", "Rx": "rx", "Ry": "ry", "Rz": "rz", "PhaseShift": "phaseshift",
    "CPhaseShift": "cphaseshift", "CPhaseShift00": "cphaseshift00", "CPhaseShift01": "cphaseshift01",
    "CPhaseShift10": "cphaseshift10", "XX": "xx", "YY": "yy", "ZZ": "zz", "XY": "xy", "PSwap": "pswap", "GPi": "gpi",
    "GPi2": "gpi2", "PRx": "prx", "MS": "ms", "U": "U",
}  # fmt: skip
QISKIT = {
    "ch": "CHGate", "cp": "CPhaseGate", "crx": "CRXGate", "cry": "CRYGate", "crz": "CRZGate", "ecr": "ECRGate",
    "p": "PhaseGate", "rxx": "RXXGate", "ryy": "RYYGate", "rzz": "RZZGate", "sdg": "SdgGate", "sx": "SXGate",
    "sxdg": "SXdgGate", "tdg": "TdgGate", "u1": "U1Gate", "u2": "U2Gate", "u3": "U3Gate",
}  # fmt: skip


@pytest.mark.parametrize("name", BRAKET)
def test_a_gate_is_braket_s(name):
    angles = ANGLES[: TURNED.get(BRAKET[name], (0,))[0]]
    expected = getattr(braket_gates, name)(*angles).to_matrix()
    np.testing.assert_allclose(unitary(BRAKET[name], angles), expected, atol=1e-12)


@pytest.mark.parametrize("name", sorted(QISKIT))
def test_a_gate_is_qiskit_s(name):
    angles = ANGLES[: TURNED.get(name, (0,))[0]]
    gate = getattr(standard_gates, QISKIT[name])(*angles)
    expected = Operator(gate).reverse_qargs().data  # the first qubit its most significant
    np.testing.assert_allclose(unitary(name, angles), expected, atol=1e-12)


def test_every_gate_is_unitary():
    for name in [*FIXED, *TURNED]:
        matrix = unitary(name, ANGLES[: TURNED.get(name, (0,))[0]])
        np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(len(matrix)), atol=1e-12)


def _braket_source(seed):
    random = np.random.default_rng(seed)
    lines = ["OPENQASM 3.0;", "input float theta;", "qubit[4] q;", "bit[4] c;"]
    for _ in range(25):
        one, other, third = random.permutation(4)[:3]
        angle = random.uniform(-3, 3)
        lines += [
            f"rx({angle}) q[{one}];", f"cphaseshift01(theta*{angle:.3f}/pi) q[{one}], q[{other}];",
            f"ccnot q[{third}], q[{one}], q[{other}];", f"xy(-{abs(angle):.4f}) q[{other}], q[{third}];", "h q[0];",
        ]  # fmt: skip
    return "\n".join([*lines, *(f"c[{bit}] = measure q[{(bit + 1) % 4}];" for bit in range(4))])


@pytest.mark.parametrize("seed", range(4))
def test_a_program_has_braket_s_distribution(seed):
    source = _braket_source(seed)
    found = distribution(read_flat(source, {"theta": 0.4}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = Program(
            source="\n".join(source.splitlines()[:-4]) + "\n#pragma braket result probability q", inputs={"theta": 0.4}
        )
        exact = StateVectorSimulator().run(program, shots=0).resultTypes[0].value
    cube = np.reshape(exact, (2,) * 4).transpose(1, 2, 3, 0)  # bit k reads qubit k + 1
    expected = cube.reshape(-1)
    chances = np.zeros(16)
    chances[found.patterns] = found.chances
    np.testing.assert_allclose(chances, expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_program_has_qiskit_s_distribution(seed):
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(4, 4)
    for _ in range(30):
        one, other = (int(qubit) for qubit in random.permutation(4)[:2])
        circuit.u(*random.uniform(-3, 3, 3), one)
        circuit.cx(one, other)
        circuit.crz(random.uniform(-3, 3), other, one)
    expected = Statevector(circuit).probabilities()
    circuit.measure(range(4), range(4))
    found = distribution(read_flat(qasm3.dumps(circuit), {}))
    chances = np.zeros(16)
    for pattern, chance in zip(found.patterns, found.chances, strict=True):
        chances[int(f"{pattern:04b}"[::-1], 2)] = chance  # the first bit is Qiskit's lowest
    np.testing.assert_allclose(chances, expected, atol=1e-9)


@pytest.mark.parametrize(
    "source",
    [
        "qubit q; gate a b { x b; } a q;",
        "qubit q; bit c; c = measure q; x q;",
        "qubit q; reset q;",
        "qubit q; if (true) x q;",
        "qubit[2] q; ctrl @ x q[0], q[1];",
        "qubit q; rx(theta) q;",
        "qubit q; x p;",
        "qubit q; x q[3];",
        "qubit q; cx q, q;",
        "qubit q; rx(1, 2) q;",
        "qubit q; rx(__import__('os')) q;",
        "#pragma braket result probability\nqubit q;",
        "input float theta; qubit q;",
    ],
)
def test_what_is_not_flat_is_left_to_others(source):
    with pytest.raises(NotFlatError):
        read_flat(f"OPENQASM 3.0;\n{source}", {})


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ("qubit[3] q; x q[1];", "010"),  # all qubits are measured where nothing is
        ("qubit[2] q; bit[2] c; x q; c = measure q;", "11"),  # a gate on a register
        ("x $5; h $2; h $2;", "01"),  # physical qubits, only those in use
        ("qubit[2] q; bit[1] a; bit[1] b; x q[0]; b[0] = measure q[0]; a[0] = measure q[1];", "01"),
        ("qubit q; bit[2] c; x q; c[0] = measure q; c[1] = measure q;", "11"),  # one qubit into two bits
        ('include "stdgates.inc"; qreg q[2]; creg c[2]; x q[1]; measure q -> c;', "01"),
        ("qubit[2] q; bit[2] c;\n#pragma braket verbatim\nbox{ x q[0]; barrier q; }\nc = measure q;", "10"),
        ("qubit q; rx(2*(pi/4 + pi/4)) q; // a comment\n/* x q; */ z q;", "1"),
    ],
)
def test_the_flat_part_of_the_language(source, pattern):
    found = distribution(read_flat(f"OPENQASM 3.0;\n{source}", {}))
    assert [f"{each:0{found.bits}b}" for each in found.patterns] == [pattern]


def test_only_so_many_qubits_are_run():
    with pytest.raises(CannotRunError, match="23 qubits"):
        distribution(read_flat("OPENQASM 3.0; qubit[23] q; h q;", {}))


def test_the_same_seed_gives_the_same_shots():
    sampler = Sampler()
    source = "OPENQASM 3.0; qubit[3] q; h q;"
    first, again, other = (sampler.braket(source, {}, 100, Noise(), seed).matrix for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_mirror_circuit_under_noise_is_as_often_right_as_the_noise_allows():
    """2 x 10 gates on one qubit and 2 x 5 on two; the answer is known."""
    half = "".join(f"ry(0.{turn + 1}) q[0];\nrz(0.{turn + 1}) q[1];\ncnot q[0], q[1];\n" for turn in range(5))
    back = "".join(f"cnot q[0], q[1];\nrz(-0.{turn + 1}) q[1];\nry(-0.{turn + 1}) q[0];\n" for turn in range(5)[::-1])
    found = distribution(read_flat(f"OPENQASM 3.0; qubit[2] q; {half}{back}", {}))
    noise, count = Noise(one_qubit=0.01, two_qubit=0.03, readout=0.02), 40_000
    counts = Counter(map(bytes, shots(found, count, noise, np.random.default_rng(5))))
    kept = 0.99**20 * 0.97**10
    expected = 0.98**2 * kept + 0.25 * (1 - kept)
    sigma = math.sqrt(expected * (1 - expected) / count)
    assert counts[b"\0\0"] / count == pytest.approx(expected, abs=4 * sigma)
