"""Loops whose pre-screen chooses between circuits, that go on from several points, or that climb layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from houses import ibm_gateway, opened

from quire.client import Client
from quire.errors import InvalidDocumentError
from quire_contracts.result import MinimizeResult, OptimizeResult
from quire_emulator.process import EmulatorProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quire.answer import JobView

RING = [[node, (node + 1) % 5, 1.0] for node in range(5)]
DEVICE = "ibm:ibm_manila"
H2 = {"II": -0.332404251324, "IZ": 0.397937424843, "XX": 0.180931199784, "ZI": -0.397937424843, "ZZ": -0.011280104256}
H2_EXACT_HARTREE = -1.137306
"""Ground-state energy of H2 in STO-3G at 0.735 angstrom, nuclear repulsion included."""

ONE_ANGLE = 'OPENQASM 3.0; include "stdgates.inc"; input float t; qubit[2] q; x q[0]; ry(t) q[1]; cx q[1], q[0];'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a whole Quire that reaches an emulated device."""
    with EmulatorProcess(tmp_path_factory.mktemp("cloud"), seed=3) as cloud:
        reaching = ibm_gateway(cloud, "ibm_manila")
        with opened(tmp_path_factory.mktemp("quire"), reaching) as running, Client(running.http) as connected:
            bell = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];'
            opening = {"kind": "sample", "program": bell, "shots": 10, "targets": [DEVICE]}
            assert connected.submit(opening).wait(90).state == "completed", (
                "what it takes to open it is no part of a test"
            )
            yield connected


def loop(algorithm: dict[str, Any], *, rounds: int = 6, **fields: Any) -> dict[str, Any]:
    optimizer = {"name": "spsa", "rounds": rounds}
    return {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": RING},
        "seed": 11,
        "shots": 512,
        "targets": ["simulation"],
        "algorithm": {"name": "qaoa", "sweep": 16, "optimizer": optimizer} | algorithm,
    } | fields


def ended(client: Client, document: dict[str, Any]) -> tuple[JobView, OptimizeResult]:
    view = client.submit(document).wait(60)
    assert view.state == "completed", view
    assert not view.degraded, view.reason
    assert isinstance(view.result, OptimizeResult)
    return view, view.result


CANDIDATES = {"candidates": [{"layers": 1}, {"layers": 2}, {"layers": 1, "angles": "multi"}]}


def test_a_pre_screen_chooses_between_circuits_and_the_best_one_goes_on(client: Client) -> None:
    view, result = ended(client, loop(CANDIDATES))
    shallow, deep, multi = result.screened
    assert [each.name for each in result.screened] == ["1 layer", "2 layers", "1 layer with an angle for each gate"]
    assert [each.two_qubit_gates for each in result.screened] == [5, 10, 5]
    assert [each.parameters for each in result.screened] == [2, 4, 10]
    assert [each.start_points for each in result.screened] == [16, 16, 16]
    assert [each.chosen for each in result.screened] == [False, True, False], "two layers cut more of a ring of five"
    assert deep.objective > max(shallow.objective, multi.objective) + 0.1
    assert all(each.reason for each in result.screened)
    assert len(result.parameters) == 4
    assert len({item.circuit_sha256 for item in view.executions}) >= 3
    assert sum(item.parameter_sets for item in view.executions) == 3 * 16 + 11 + 5 * 3 + 1
    assert result.best.value == 4.0


def test_on_a_device_the_fidelity_of_each_circuit_counts(client: Client) -> None:
    view, result = ended(client, loop(CANDIDATES, rounds=1, targets=[DEVICE]))
    assert [each.target for each in result.screened] == [DEVICE] * 3
    fidelities = [each.fidelity for each in result.screened]
    shallow, deep, _ = fidelities
    assert shallow is not None
    assert deep is not None
    assert 0.0 < deep < shallow < 1.0
    assert result.screened[0].two_qubit_gates > 5, "a ring takes swaps on a line of five qubits"
    for each in result.screened:
        assert each.fidelity is not None
        assert each.expected == pytest.approx(2.5 + each.fidelity * (each.objective - 2.5))
    best = max(result.screened, key=lambda each: each.expected)
    (chosen,) = (each for each in result.screened if each.chosen)
    assert chosen.expected == pytest.approx(best.expected, rel=0.05)
    ran = [(item.phase, item.target) for item in view.executions]
    assert ran[:3] == [("sweep", "simulation")] * 3, "what is screened is simulated, also where a job names a device"
    assert {target for _, target in ran[3:]} == {DEVICE}


def test_the_best_few_start_points_go_on_side_by_side(client: Client) -> None:
    view, result = ended(client, loop({"layers": 2, "starts": 3}, rounds=4))
    assert [item.parameter_sets for item in view.executions] == [16, 33, 9, 9, 9, 1]
    assert len(result.history) == 4
    assert result.screened == ()


CLIMB = {"layers": 3, "initialisation": "interpolated"}


def test_a_loop_climbs_and_goes_on_from_any_of_its_rounds(client: Client) -> None:
    whole, result = ended(client, loop(CLIMB, rounds=12))
    assert [each.layers for each in result.history] == [1] * 2 + [2] * 4 + [3] * 6
    first, last = result.history[0], result.history[-1]
    assert last.best > first.objective
    assert result.best.value == 4.0
    for after in (2, 5):
        _, again = ended(client, loop(CLIMB, rounds=12, **{"from": {"job": whole.job_id, "round": after}}))
        assert (again.parameters, again.history, again.best) == (result.parameters, result.history, result.best)


def test_a_warm_start_climbs_on_from_the_layers_it_has(client: Client) -> None:
    shallow, _ = ended(client, loop({"layers": 2}, rounds=2))
    _, result = ended(client, loop(CLIMB, rounds=12, **{"from": {"job": shallow.job_id}}))
    assert {each.layers for each in result.history} == {2, 3}


def test_what_cannot_be_chosen_between_is_refused_with_what_to_do(client: Client) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        client.submit(loop(CANDIDATES, **{"from": {"job": "any"}})).wait(10)
    assert "/algorithm/candidates" in str(caught.value)


def test_a_minimisation_chooses_between_ansaetze_of_any_kind(client: Client) -> None:
    ansaetze = [
        {"name": "hardware-efficient", "layers": 2, "rotations": ["ry"]},
        {"name": "program", "program": ONE_ANGLE},
    ]
    algorithm = {"name": "vqe", "candidates": ansaetze, "optimizer": {"name": "nft", "rounds": 6}}
    document = {"kind": "minimize", "hamiltonian": H2, "unit": "hartree", "seed": 1, "algorithm": algorithm}
    view = client.submit(document).wait(60)
    assert view.state == "completed", view
    assert isinstance(view.result, MinimizeResult)
    assert [each.parameters for each in view.result.screened] == [6, 1]
    assert [each.chosen for each in view.result.screened] == [False, True]
    assert view.result.energy == pytest.approx(H2_EXACT_HARTREE, abs=1e-5)


@pytest.mark.parametrize("name", ["climb.json", "which-circuit.json"])
def test_the_examples_cut_what_can_be_cut_of_the_petersen_graph(
    client: Client, examples: dict[str, dict[str, Any]], name: str
) -> None:
    _, result = ended(client, examples[name])
    assert result.best.value == 12.0
    assert result.history[-1].best > 11.2, "one layer cuts 10.4 on average at its best angles"
    assert [each.layers for each in result.history] == (
        [1] * 4 + [2] * 8 + [3] * 12 + [4] * 16 if name == "climb.json" else [None] * 15
    )
    assert [each.name for each in result.screened if each.chosen] == ([] if name == "climb.json" else ["3 layers"])
