"""Documents that minimise a Hamiltonian: what is accepted, and where what is wrong is wrong."""

from __future__ import annotations

import json

import pytest

from quire_contracts import limits
from quire_contracts.document import MinimizeJob
from quire_contracts.intake import DocumentError, encode_document, parse_document
from quire_contracts.optimizers import Nft
from quire_contracts.vqe import GivenAnsatz, HardwareEfficient, Vqe

TERMS = {"ZZ": 1.0, "XI": -0.5}


def parsed(**changes) -> MinimizeJob:
    document = parse_document(json.dumps({"kind": "minimize", "hamiltonian": TERMS} | changes).encode())
    assert isinstance(document, MinimizeJob)
    return document


def pointers(**changes) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        parsed(**changes)
    assert all(problem.reason and problem.hint for problem in caught.value.problems)
    return [problem.pointer for problem in caught.value.problems]


def vqe(**changes) -> dict[str, object]:
    return {"name": "vqe"} | changes


def test_a_hamiltonian_is_all_that_is_needed():
    document = parsed()
    assert document.algorithm == Vqe(ansatz=HardwareEfficient(), optimizer=Nft(rounds=200))
    assert (document.precision, document.constant, document.unit) == (0.0, 0.0, "")
    assert parse_document(encode_document(document)) == document


def test_an_ansatz_may_be_given():
    ansatz = parsed(algorithm=vqe(ansatz={"name": "program", "program": "OPENQASM 3.0;"})).algorithm.ansatz
    assert ansatz == GivenAnsatz(program="OPENQASM 3.0;")


@pytest.mark.parametrize("label", ["ZA", "zz", "Z Z", "Z*", "+-", "0Z", ""])
def test_labels_are_paulis(label):
    assert pointers(hamiltonian={label: 1.0})[0].startswith("/hamiltonian")


@pytest.mark.parametrize("coefficient", ["1j", [0, 1], {"re": 1, "im": 1}, None, True, "0.5"])
def test_coefficients_are_real_numbers(coefficient):
    assert pointers(hamiltonian={"ZZ": coefficient}) == ["/hamiltonian"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_what_is_no_number_of_json_is_refused(number):
    body = json.dumps({"kind": "minimize", "hamiltonian": {"ZZ": 0}}).replace("0}", f"{number}}}").encode()
    with pytest.raises(DocumentError):
        parse_document(body)


def test_all_labels_have_one_width():
    assert pointers(hamiltonian={"ZZ": 1.0, "Z": 1.0}) == ["/hamiltonian"]


@pytest.mark.parametrize("terms", [{"II": 1.0}, {"II": 1.0, "ZZ": 0.0}])
def test_something_has_to_depend_on_the_state(terms):
    assert pointers(hamiltonian=terms) == ["/hamiltonian"]


@pytest.mark.parametrize("sizes", [{"ZZ": 1e308, "XX": 1e308}, {"ZZ": 1e101}, {"II": 1e101, "ZZ": 1.0}, {"ZZ": 1e-101}])
def test_sizes_have_to_be_those_that_arithmetic_can_bear(sizes):
    assert pointers(hamiltonian=sizes) == ["/hamiltonian"]


def test_the_ansatz_has_to_fit_the_hamiltonian():
    assert pointers(algorithm=vqe(ansatz={"name": "hardware-efficient", "state": "101"})) == ["/algorithm/ansatz/state"]
    assert pointers(algorithm=vqe(ansatz={"name": "hardware-efficient", "state": "2"})) == ["/algorithm/ansatz/state"]
    assert pointers(algorithm=vqe(initial=[0.1])) == ["/algorithm/initial"]
    angles = HardwareEfficient().angles(2)
    assert parsed(algorithm=vqe(initial=[0.1] * angles)).algorithm.initial == (0.1,) * angles


def test_a_round_has_to_fit_a_task():
    wide = {"hamiltonian": {"Z" * 8: 1.0}}
    assert pointers(**wide, algorithm=vqe(optimizer={"name": "parameter-shift"})) == ["/algorithm"]
    population = {"name": "cma-es", "population": limits.LOOP_NUMBERS // 48 + 1}
    assert pointers(**wide, algorithm=vqe(optimizer=population)) == ["/algorithm/optimizer/population"]
    assert pointers(hamiltonian={"Z" * 200: 1.0}) == ["/algorithm"]
    assert parsed(**wide).algorithm.optimizer == Nft(rounds=200)


def test_all_rounds_have_to_fit_a_record():
    wide = {"Z" * 30: 1.0}
    matrix = vqe(ansatz={"name": "hardware-efficient", "layers": 2, "rotations": ["ry"]})
    long = matrix | {"optimizer": {"name": "cma-es", "rounds": 1_000}}
    assert pointers(hamiltonian=wide, algorithm=long) == ["/algorithm/optimizer/rounds"]
    shorter = matrix | {"optimizer": {"name": "cma-es", "rounds": 400}}
    assert parsed(hamiltonian=wide, algorithm=shorter).algorithm.optimizer.rounds == 400
    assert parsed(algorithm=vqe(optimizer={"name": "nft", "rounds": 1_000})).algorithm.optimizer.rounds == 1_000


def test_a_last_step_is_no_longer_than_the_first():
    cobyla = {"name": "scipy", "method": "cobyla", "step": 0.1, "tolerance": 0.5}
    assert pointers(algorithm=vqe(optimizer=cobyla)) == ["/algorithm/optimizer/tolerance"]


def test_exact_energies_need_no_mitigation():
    mitigation = {"zne": {}}
    assert pointers(mitigation=mitigation) == ["/mitigation"]
    assert parsed(mitigation=mitigation, precision=0.1).precision == 0.1


def test_every_fault_is_told():
    found = pointers(hamiltonian={"II": 1.0}, algorithm=vqe(initial=[0.1]), tenant="shared")
    assert found == ["/tenant", "/hamiltonian", "/algorithm/initial"]
