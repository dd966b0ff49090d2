"""Hamiltonians from other libraries become documents; an energy is shown with what it is held against."""

from types import SimpleNamespace

import msgspec
import pytest
from qiskit.quantum_info import SparsePauliOp
from rich.console import Console

from quire.answer import JobView
from quire.energies import energy_table
from quire.errors import ServerError
from quire.hamiltonians import from_qubit_operator, from_sparse_pauli_op
from quire_contracts.intake import parse_document
from quire_contracts.preparation import Baseline
from quire_contracts.result import Accuracy, MinimizeResult

GROUND = Baseline(method="exact diagonalisation (eigvalsh)", value=-1.5, assignment=(), exact=True)


def answer(**changes):
    fields = {
        "energy": -1.4995,
        "std_error": 0.0,
        "parameters": (0.1, 0.2),
        "history": (),
        "baseline": GROUND,
        "accuracy": Accuracy(error=5e-4, chemical=True),
        "unit": "hartree",
    }
    return MinimizeResult(**(fields | changes))


def shown(result):
    console = Console(width=160)
    with console.capture() as capture:
        console.print(energy_table(result, 0.25))
    return capture.get()


def test_a_sparse_pauli_op_is_a_hamiltonian():
    operator = SparsePauliOp(["XI", "ZZ", "ZZ"], [0.5, 1.0, 0.25])
    document = from_sparse_pauli_op(operator, unit="hartree").document(precision=0.1)
    assert document["hamiltonian"] == {"XI": 0.5, "ZZ": 1.25}
    parsed = parse_document(msgspec.json.encode(document))
    assert (parsed.unit, parsed.precision) == ("hartree", 0.1)


def test_a_qubit_operator_is_one_too():
    """OpenFermion's operators say {((qubit, letter), ...): coefficient}."""
    operator = SimpleNamespace(terms={(): -1.0, ((0, "X"), (2, "Z")): 0.5})
    assert from_qubit_operator(operator).terms == {"III": -1.0, "ZIX": 0.5}
    assert from_qubit_operator(operator, 4).terms == {"IIII": -1.0, "IZIX": 0.5}
    with pytest.raises(ValueError, match="acts on qubit 2"):
        from_qubit_operator(operator, 2)


def test_what_is_no_observable_is_refused():
    with pytest.raises(ValueError, match="coefficient of YZ"):
        from_sparse_pauli_op(SparsePauliOp(["YZ", "II"], [0.5j, 1.0]))


def test_an_energy_stands_beside_its_reference():
    text = shown(answer())
    assert "-1.499500" in text
    assert "-1.500000 (exact)" in text
    assert "energy (hartree)" in text
    assert "5.00e-04" in text
    assert "yes" in text
    assert "0.1000, 0.2000" in text


def test_what_is_open_or_odd_is_said():
    open_ = shown(answer(std_error=0.01, accuracy=Accuracy(error=5e-4)))
    assert "± 0.010000" in open_
    assert "open" in open_
    odd = shown(answer(energy=-2.0, accuracy=Accuracy(error=-0.5, chemical=False, anomaly="the energy is 0.5 below")))
    assert "0.5 below" in odd
    assert "no" in odd
    bound = msgspec.structs.replace(GROUND, exact=False)
    assert "an upper bound" in shown(answer(baseline=bound, accuracy=Accuracy(error=-0.1)))


def test_a_view_has_its_energy():
    view = JobView(job_id="j", tenant="default", state="completed", kind="minimize", result=answer())
    assert view.energy == -1.4995
    with pytest.raises(ServerError, match="no energy"):
        _ = JobView(job_id="j", tenant="default", state="running", kind="minimize").energy
