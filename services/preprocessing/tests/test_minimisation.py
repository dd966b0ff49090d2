"""A minimisation's document becomes a loop over its ansatz, or is refused with the place of what is wrong."""

import json

import msgspec
import numpy as np
import pytest

from quire_contracts.document import MinimizeJob
from quire_contracts.optimizers import CmaEs, Nft, Scipy, Spsa
from quire_contracts.preparation import Columns, Spectrum
from quire_contracts.vqe import GivenAnsatz, HardwareEfficient, Vqe
from quire_preprocessing.draft import Bounds
from quire_preprocessing.minimize.minimisation import minimisation_of
from quire_preprocessing.refusal import Refused
from quire_quantum.parse import parse
from quire_testing.circuits import plain_state

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
H2 = {"II": -0.3324, "IZ": 0.3979, "ZI": -0.3979, "ZZ": -0.0113, "XX": 0.1809}
ONE_ANGLE = HEAD + "input float t; qubit[2] q; x q[0]; ry(2*t+0.5) q[1]; cx q[1], q[0]; rz(0.25) q[0];"


def loop(hamiltonian=H2, seed=1, bounds=None, program=None, **changes):
    fields = {name: changes.pop(name) for name in ("constant", "unit", "precision", "mitigation") if name in changes}
    if program is not None:
        changes["ansatz"] = GivenAnsatz(program=program)
    document = MinimizeJob(hamiltonian=hamiltonian, algorithm=Vqe(**changes), **fields)
    parsed = parse(program).program if program is not None else None
    return minimisation_of(document, (parsed,), seed, bounds or Bounds())


def refused(**changes):
    with pytest.raises(Refused) as caught:
        loop(**changes)
    told = caught.value.problems[0]
    assert told.hint
    return caught.value.code, told.pointer


def test_a_loop_over_the_angles_of_layers():
    draft, hamiltonian = loop(unit="hartree", sweep=8, optimizer=Nft(rounds=13))
    assert (draft.structure.num_qubits, draft.structure.num_parameters, draft.structure.num_bits) == (2, 12, 0)
    assert (draft.scale, draft.shots, draft.unit, draft.columns, draft.problem) == (1, None, "hartree", None, None)
    assert draft.spectra == (Spectrum(spacing=1.0, count=1),) * 12
    assert draft.observables == (hamiltonian,)
    assert dict(zip(hamiltonian.labels, hamiltonian.coefficients, strict=True)) == H2
    assert draft.estimate.parameter_sets == 8 + 3 * 13 + 1
    assert draft.estimate.shots is None


def test_the_constant_is_the_identitys():
    _, hamiltonian = loop(constant=0.7)
    assert dict(zip(hamiltonian.labels, hamiltonian.coefficients, strict=True))["II"] == pytest.approx(0.3676)
    _, without = loop({"ZZ": 1.0}, constant=-2.0)
    assert (without.labels, without.coefficients) == (("II", "ZZ"), (-2.0, 1.0))


def test_start_points_are_zero_and_then_even_draws_by_the_seed():
    points = loop(sweep=16, spread=0.5)[0].start_points
    assert points.shape == (16, 12)
    assert not points[0].any()
    assert 0.3 < np.abs(points[1:]).max() <= 0.5
    assert (points == loop(sweep=16, spread=0.5)[0].start_points).all()
    assert (points[1:] != loop(sweep=16, spread=0.5, seed=2)[0].start_points[1:]).all()
    assert loop(spread=0.0)[0].start_points.tolist() == [[0.0] * 12]
    given = tuple(np.arange(12) / 10)
    assert loop(initial=given)[0].start_points.tolist() == [list(given)]
    assert loop({"Z" * 20: 1.0}, sweep=1_024)[0].start_points.shape == (2_048 // 120, 120), "a task's numbers"


def test_shots_count_every_basis_of_every_set():
    draft, _ = loop(precision=0.1, sweep=4, optimizer=Spsa(rounds=5))
    assert (draft.shots, draft.circuits) == (100, 2)
    assert draft.estimate.shots == (4 + 15 + 1) * 2 * 100


def test_a_given_ansatz_is_varied_by_its_inputs_alone():
    draft, _ = loop(program=ONE_ANGLE, sweep=3)
    assert draft.structure.num_parameters == 2, "the input, and the constant"
    assert draft.start_points.shape == (3, 1)
    rows = np.array(draft.columns.scales) * 0.7 * (np.array(draft.columns.sources) == 0) + draft.columns.offsets
    expected = plain_state(
        parse(ONE_ANGLE).program.structure, parse(ONE_ANGLE).program.angles.evaluate(np.array([[0.7]]))[0]
    )
    assert plain_state(draft.structure, rows) == pytest.approx(expected)
    assert draft.spectra == (Spectrum(spacing=2.0, count=1),)


def test_inputs_are_parameters_in_the_order_of_their_declaration():
    program = HEAD + "input float a; input float b; qubit[2] q; ry(b) q[0]; ry(-a) q[1]; crx(2*a) q[0], q[1];"
    draft, _ = loop(program=program)
    assert draft.columns == Columns(sources=(1, 0), scales=(1.0, 1.0), offsets=(0.0, 0.0))
    assert draft.spectra == (Spectrum(spacing=1.0, count=3), Spectrum(spacing=1.0, count=1))
    straight = HEAD + "input float a; input float b; qubit[2] q; ry(a) q[0]; ry(b) q[1];"
    assert loop(program=straight)[0].columns is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("qubit[2] q; ry(0.1) q[0];", "ansatz-without-inputs"),
        ("input float a; input float b; qubit[2] q; ry(a) q[0];", "input-unused"),
        ("input float a; qubit[2] q; ry(sin(a)) q[0];", "ansatz-not-linear"),
        ("input float a; qubit[2] q; ry(a*a) q[0];", "ansatz-not-linear"),
        ("input float a; input float b; qubit[2] q; ry(a+b) q[0];", "ansatz-not-linear"),
        ("input float a; qubit[2] q; ry(1/a) q[0];", "angle-not-finite"),
        ("input float a; qubit[2] q; bit[1] c; ry(a) q[0]; c[0] = measure q[0]; x q[0];", "measures-midway"),
    ],
)
def test_what_cannot_be_varied_is_refused_at_the_program(body, code):
    assert refused(program=HEAD + body) == (code, "/algorithm/ansatz/program")


def test_widths_have_to_agree():
    assert refused(hamiltonian={"ZZZ": 1.0}, program=ONE_ANGLE) == ("hamiltonian-invalid", "/hamiltonian")
    wide = {"hamiltonian": {"Z" * 25: 1.0}, "optimizer": Spsa()}
    assert refused(**wide) == ("hamiltonian-too-wide", "/hamiltonian")
    assert loop(**wide, bounds=Bounds(max_variables=25))[0].structure.num_qubits == 25


def test_a_start_point_has_an_angle_for_each_input():
    assert refused(program=ONE_ANGLE, initial=(0.1, 0.2)) == ("ansatz-does-not-fit", "/algorithm/initial")
    assert refused(program=ONE_ANGLE, initial=(float("nan"),)) == ("angle-not-finite", "/algorithm/initial")


def test_a_round_has_to_fit_a_task_with_all_numbers_of_the_structure():
    gates = "".join("ry(0.1) q[0]; " for _ in range(1_000))
    program = f"{HEAD}input float t; qubit[2] q; ry(t) q[1]; {gates}"
    assert refused(program=program, optimizer=Nft(rounds=1)) == ("ansatz-does-not-fit", "/algorithm")
    assert refused(program=program, optimizer=CmaEs(population=4))[1] == "/algorithm/optimizer/population"
    assert loop(program=program, optimizer=Scipy())[0].start_points.shape == (2, 1)


def test_an_angle_in_gates_without_a_common_measure_has_no_curve():
    program = HEAD + "input float t; qubit[2] q; ry(t) q[0]; ry(1.4142135*t) q[1];"
    assert refused(program=program)[0] == "angle-without-curve"
    draft, _ = loop(program=program, optimizer=Scipy(method="l-bfgs-b"))
    assert draft.spectra == (None,)
    assert "derivatives by t are central differences" in draft.notes[0]


def test_shots_have_their_limits():
    assert refused(precision=1e-4) == ("precision-too-fine", "/precision")
    assert refused(precision=0.1, bounds=Bounds(max_total_shots=1_000)) == ("too-many-shots", "/precision")
    many = {format(i, "012b").replace("0", "Z").replace("1", "X"): 1.0 for i in range(200)}
    limited = {"hamiltonian": many, "precision": 0.1, "bounds": Bounds(max_sampled_terms=100)}
    assert refused(**limited) == ("too-many-terms", "/hamiltonian")


def test_the_basis_state_comes_first():
    draft, _ = loop(ansatz=HardwareEfficient(layers=1, rotations=("ry",), entangler="cz", state="01"), spread=0.0)
    assert plain_state(draft.structure, [0.0] * 4) == pytest.approx([0, 1, 0, 0])


DOCUMENT = {"kind": "minimize", "hamiltonian": H2, "constant": 0.5, "unit": "hartree"}


def given(program):
    return DOCUMENT | {"algorithm": {"name": "vqe", "ansatz": {"name": "program", "program": program}}}


async def test_a_preparation_has_the_loop_and_the_ground_energy_is_found_beside(
    make_preparer, found, command_for, spans
):
    prepared = await make_preparer().prepare(*command_for(DOCUMENT))
    assert (prepared.baseline_to_come, prepared.preparation.baseline) == (True, None)
    assert [span.name for span in spans.finished] == [f"quire.stage.{name}" for name in ("parse", "encode")]
    loop, said = prepared.preparation.loop, await found(*command_for(DOCUMENT))
    baseline = said.baseline
    assert (loop.scale, loop.unit, loop.problem, loop.start_points.columns) == (1, "hartree", None, 12)
    assert json.loads(prepared.preparation.observables.inline)[0]["labels"] == sorted(H2)
    assert (baseline.exact, baseline.value) == (True, pytest.approx(-0.637288, abs=1e-4))
    assert list(said.method_seconds) == [baseline.method]
    assert [timing.stage for timing in said.timings] == ["baseline"]


async def test_equal_documents_and_seeds_give_equal_preparations(make_preparer, command_for):
    one, two = [(await make_preparer().prepare(*command_for(given(ONE_ANGLE)))).preparation for _ in range(2)]
    assert msgspec.json.encode(one) == msgspec.json.encode(two)
    other = (await make_preparer().prepare(*command_for(given(ONE_ANGLE), seed=6))).preparation
    assert other.loop.start_points != one.loop.start_points
    assert other.structure == one.structure


@pytest.mark.parametrize(
    ("program", "pointer"),
    [
        ("OPENQASM 3.0; nonsense", "/algorithm/ansatz/program"),
        (HEAD + "input float t; qubit[3] q; ry(t) q[0];", "/hamiltonian"),
    ],
)
async def test_a_given_program_is_refused_where_the_document_has_it(make_preparer, command_for, program, pointer):
    with pytest.raises(Refused) as caught:
        await make_preparer().prepare(*command_for(given(program)))
    assert caught.value.problems[0].pointer == pointer
    assert caught.value.fault.kind == "invalid"
