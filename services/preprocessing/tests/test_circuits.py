"""A program and a document become a draft, or a refusal that points at what is wrong."""

import math

import numpy as np
import pytest

from quire_contracts.document import EstimateJob, MitigationSetting, ReadoutSetting, SampleJob, ZneSetting
from quire_contracts.mitigation import Mitigation, Readout, Zne
from quire_preprocessing.circuits import IGNORED_MEASUREMENTS, MEASURED_ALL, draft_of, shots_for
from quire_preprocessing.draft import Bounds
from quire_preprocessing.refusal import Refused
from quire_quantum.parse import parse_program

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
BELL = HEAD + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
TURN = HEAD + "input float a; input float b; qubit[2] q; rx(2*a) q[0]; ry(a*b) q[1]; rz(0.5) q[0];"


def sample(program, bounds=None, **fields):
    return draft_of(SampleJob(program=program, **fields), parse_program(program), bounds or Bounds())


def estimate(program, bounds=None, **fields):
    fields.setdefault("observables", ({"ZZ": 1.0, "XX": 0.5},))
    return draft_of(EstimateJob(program=program, **fields), parse_program(program), bounds or Bounds())


def refused(draft, *arguments, **fields):
    with pytest.raises(Refused) as caught:
        draft(*arguments, **fields)
    (problem,) = caught.value.problems
    return caught.value.code, problem


def test_a_measured_program_is_sampled_as_it_is():
    draft = sample(BELL, shots=100)
    assert draft.structure.num_bits == 2
    assert [each.name for each in draft.structure.operations] == ["h", "cx", "measure", "measure"]
    assert draft.parameters.shape == (1, 0)
    assert (draft.shots, draft.observables, draft.notes) == (100, None, ())
    needs = draft.estimate
    assert (needs.qubits, needs.depth, needs.two_qubit_gates, needs.parameter_sets, needs.shots) == (2, 3, 1, 1, 100)


def test_a_program_that_measures_nothing_has_every_qubit_measured():
    draft = sample(HEAD + "qubit[3] q; bit[1] c; h q[1];")
    measurements = [each for each in draft.structure.operations if each.name == "measure"]
    assert [(each.qubits, each.bits) for each in measurements] == [((0,), (0,)), ((1,), (1,)), ((2,), (2,))]
    assert draft.structure.num_bits == 3
    assert draft.notes == (MEASURED_ALL,)


def test_parameter_sets_become_structure_parameters():
    draft = sample(TURN, parameters=((0.1, 3.0), (0.2, 4.0)))
    text = draft.structure.to_text()
    assert "rx(2.0*p0) q[0];" in text
    assert draft.parameters.shape == (2, draft.structure.num_parameters)
    columns = {tuple(column) for column in draft.parameters.T.round(12)}
    assert columns == {(0.1, 0.2), (0.3, 0.8), (0.5, 0.5)}
    assert draft.estimate.parameter_sets == 2


def test_programs_that_differ_only_in_numbers_share_a_structure():
    other = sample(TURN.replace("0.5", "0.75"), parameters=((1.0, 1.0),))
    assert other.structure.sha256 == sample(TURN, parameters=((0.0, 0.0),)).structure.sha256


def test_an_estimate_drops_final_measurements_and_says_so():
    draft = estimate(BELL)
    assert [each.name for each in draft.structure.operations] == ["h", "cx"]
    assert draft.structure.num_bits == 0
    assert draft.notes == (IGNORED_MEASUREMENTS,)
    assert draft.shots is None
    (observable,) = draft.observables
    assert (observable.labels, observable.coefficients) == (("XX", "ZZ"), (0.5, 1.0))


def test_an_estimate_with_precision_counts_its_measurement_bases():
    draft = estimate(BELL, precision=0.05, observables=({"ZZ": 1.0, "XX": 0.5}, {"ZI": 1.0, "YY": 1.0}))
    assert draft.shots == 400
    assert draft.estimate.shots == 3 * 400


@pytest.mark.parametrize(
    ("precision", "shots"), [(0, None), (1, 1), (0.5, 4), (0.1, 100), (0.01, 10_000), (0.001, 1_000_000), (0.3, 12)]
)
def test_shots_of_a_precision(precision, shots):
    assert shots_for(precision) == shots


def test_a_reset_before_use_is_dropped_and_one_after_use_needs_shots():
    midway = HEAD + "qubit[2] q; reset q; h q[0]; reset q[0];"
    draft = estimate(midway, precision=0.1)
    assert [each.name for each in draft.structure.operations] == ["h", "reset"]
    code, problem = refused(estimate, midway)
    assert (code, problem.pointer, problem.hint) == ("resets-midway", "/program", "ask for a precision above 0")


def test_a_measurement_midway_has_no_expectation_value():
    code, problem = refused(estimate, HEAD + "qubit[2] q; bit c; c = measure q[0]; h q[0];")
    assert (code, problem.pointer) == ("measures-midway", "/program")


@pytest.mark.parametrize(("sets", "count"), [(((),), 0), (((1.0,),), 1), (((1.0, 2.0, 3.0),), 3)])
def test_a_wrong_number_of_parameters_names_both_numbers(sets, count):
    code, problem = refused(sample, TURN, parameters=sets)
    assert (code, problem.pointer) == ("parameters-shape", "/parameters")
    assert problem.reason == f"each parameter set has {count} numbers, the program declares 2 inputs"
    assert problem.limit == "exactly 2 numbers in each set"


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_parameter_that_is_no_number_is_pointed_at(bad):
    code, problem = refused(sample, TURN, parameters=((0.0, 0.0), (0.0, bad)))
    assert (code, problem.pointer) == ("parameter-not-finite", "/parameters/1")


def test_an_angle_without_a_value_points_at_the_parameters():
    program = HEAD + "input float a; qubit q; rx(1/a) q;"
    assert sample(program, parameters=((2.0,),)).parameters.tolist() == [[0.5]]
    code, problem = refused(sample, program, parameters=((0.0,),))
    assert (code, problem.pointer) == ("angle-not-finite", "/parameters")


@pytest.mark.parametrize(
    ("terms", "words"),
    [({"Z": 1.0}, "2 characters"), ({"ZZZ": 1.0}, "2 characters"), ({"ZZ": math.inf}, "finite")],
)
def test_an_observable_that_does_not_fit_is_pointed_at(terms, words):
    code, problem = refused(estimate, BELL, observables=({"ZZ": 1.0}, terms))
    assert (code, problem.pointer) == ("observable-invalid", "/observables/1")
    assert words in problem.reason
    assert "2 qubits" in problem.hint


def test_at_most_ten_problems_are_listed():
    with pytest.raises(Refused) as caught:
        estimate(BELL, observables=({"Z": 1.0},) * 50)
    assert [problem.pointer for problem in caught.value.problems] == [f"/observables/{k}" for k in range(10)]


@pytest.mark.parametrize("precision", [1e-4, 1e-12, 5e-324])
def test_a_precision_that_needs_too_many_shots_is_refused(precision):
    code, problem = refused(estimate, BELL, precision=precision)
    assert (code, problem.pointer, problem.limit) == ("precision-too-fine", "/precision", "0, or at least 0.001")


def test_sizes_are_bounded():
    bounds = Bounds(max_angles=5, max_sampled_terms=1, max_total_shots=1_000)
    many = ((0.0, 0.0),) * 2
    assert refused(sample, TURN, bounds, parameters=many)[0] == "too-many-angles"
    assert refused(estimate, BELL, bounds, precision=0.5)[0] == "too-many-terms"
    assert estimate(BELL, bounds).estimate.shots is None
    code, problem = refused(sample, BELL, bounds, shots=1_001)
    assert (code, problem.pointer, problem.limit) == ("too-many-shots", "/shots", "at most 1000 shots in one job")
    code, problem = refused(estimate, BELL, bounds, precision=0.01, observables=({"ZZ": 1.0},))
    assert (code, problem.pointer) == ("too-many-shots", "/precision")


def test_parameters_are_plain_little_endian_rows():
    draft = sample(TURN, parameters=((0.1, 3.0),))
    assert draft.parameters.dtype == np.float64
    assert draft.parameters.flags.c_contiguous


def test_mitigation_goes_with_the_draft_and_its_circuits_are_counted():
    asked = MitigationSetting(readout=ReadoutSetting(shots=100), zne=ZneSetting(scale_factors=(1.0, 2.0, 3.0)))
    draft = estimate(BELL, precision=0.1, mitigation=asked)
    assert draft.circuits == 6
    assert draft.estimate.shots == 600
    assert draft.mitigation == Mitigation(readout=Readout(shots=100), zne=Zne(scale_factors=(1.0, 2.0, 3.0)))
    assert estimate(BELL, precision=0.1).mitigation is None


@pytest.mark.parametrize("middle", ["reset q[0];", "c[0] = measure q[0];"])
def test_what_measures_or_resets_midway_is_not_mitigated(middle):
    program = HEAD + f"qubit[2] q; bit[2] c; h q[0]; {middle} h q[0]; c = measure q;"
    code, problem = refused(sample, program, mitigation=MitigationSetting(readout=ReadoutSetting()))
    assert (code, problem.pointer) == ("mitigation-midway", "/mitigation")
    assert problem.hint
