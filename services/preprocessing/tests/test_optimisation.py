"""An optimisation's document becomes a loop, the same one each time."""

import msgspec
import pytest

from quire_contracts.continuation import From
from quire_contracts.document import OptimizeJob, Qaoa
from quire_contracts.optimizers import CmaEs, Nft, ParameterShift, Scipy, Spsa
from quire_contracts.problems import MaxCut, Qubo
from quire_preprocessing.draft import Bounds
from quire_preprocessing.optimize.optimisation import loop_of
from quire_preprocessing.refusal import Refused

CHAIN = MaxCut(edges=tuple((i, i + 1, 1.0) for i in range(4)))


def loop(problem=CHAIN, seed=1, bounds=None, **algorithm):
    return loop_of(OptimizeJob(problem=problem, algorithm=Qaoa(**algorithm)), seed, bounds or Bounds())


def test_a_cut_is_maximised_by_minimising_its_energy():
    draft, energy = loop(layers=3, sweep=10)
    assert draft.scale == energy.scale == -1
    assert draft.parameters is None
    assert draft.start_points.shape == (10, 6)
    assert draft.structure.num_parameters == 6
    assert draft.observables == (energy.observable(),)
    assert draft.shots == 1024


def test_estimate_counts_the_whole_loop():
    needs = loop(layers=2, sweep=16, optimizer=Spsa(rounds=5))[0].estimate
    assert (needs.qubits, needs.two_qubit_gates) == (5, 8)
    assert needs.parameter_sets == 16 + 3 * 5 + 1
    assert needs.shots == needs.parameter_sets * 1024
    assert needs.depth == 1 + 2 * (2 + 1), "a chain has two colours: h, then twice two layers of rzz and one of rx"


def test_given_angles_replace_the_sweep():
    draft, _ = loop(layers=2, initial=(0.1, 0.2, 0.3, 0.4))
    assert draft.start_points.tolist() == [[0.1, 0.2, 0.3, 0.4]]
    assert draft.estimate.parameter_sets == 3 * 20 + 1


def test_too_wide_a_problem_is_refused_with_its_limit_before_anything_is_built():
    for problem in (MaxCut(edges=((0, 9_999, 1.0),)), Qubo(n=10_000, linear=(1.0,) * 10_000)):
        with pytest.raises(Refused) as caught:
            loop(problem)
        (told,) = caught.value.problems
        assert (caught.value.code, told.pointer, told.limit) == ("problem-too-wide", "/problem", "at most 24 variables")
        assert "10000 variables" in told.reason
        assert told.hint
    assert loop(MaxCut(edges=((0, 29, 1.0),)), bounds=Bounds(max_variables=30))[0].structure.num_qubits == 30


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_given_angles_must_be_numbers(bad):
    with pytest.raises(Refused) as caught:
        loop(layers=1, initial=(0.1, bad))
    assert caught.value.problems[0].pointer == "/algorithm/initial"


def test_equal_documents_and_seeds_give_equal_loops():
    (one, _), (two, _), (other, _) = loop(seed=1), loop(seed=1), loop(seed=2)
    assert one.start_points.tobytes() == two.start_points.tobytes() != other.start_points.tobytes()
    assert one.structure.sha256 == two.structure.sha256 == other.structure.sha256
    assert msgspec.json.encode(one.observables) == msgspec.json.encode(two.observables)


def test_a_fault_says_what_to_do():
    with pytest.raises(Refused) as caught:
        loop(Qubo(n=2))
    fault = caught.value.fault
    assert (fault.kind, fault.code, fault.retryable) == ("invalid", "problem-constant", False)
    assert fault.reason.startswith("/problem: every assignment")
    assert fault.next_step == caught.value.problems[0].hint


@pytest.mark.parametrize(
    ("optimizer", "sets"),
    [
        (Nft(rounds=6), (4 * 2 + 1) + (3 * 2 + 1) + (4 * 2 + 1) + (2 * 2 + 1) + (4 * 2 + 1) + (3 * 2 + 1)),
        (CmaEs(rounds=6), 6 * 8),
        (CmaEs(rounds=6, population=10), 6 * 10),
        (ParameterShift(rounds=6), 6 * (1 + 2 * (4 + 3 + 4 + 2))),
        (Scipy(rounds=6, method="l-bfgs-b"), 6 * (1 + 2 * (4 + 3 + 4 + 2))),
        (Scipy(rounds=6), 6),
    ],
    ids=["nft", "cma-es", "population", "parameter-shift", "l-bfgs-b", "cobyla"],
)
def test_estimate_counts_the_optimisers_own_rounds(optimizer, sets):
    draft, _ = loop(layers=2, sweep=1, optimizer=optimizer)
    assert draft.estimate.parameter_sets == sets + 1


def test_an_optimiser_that_goes_by_curves_is_refused_where_there_are_none():
    weights = MaxCut(edges=((0, 1, 0.37), (1, 2, 0.911)))
    with pytest.raises(Refused) as caught:
        loop(weights, layers=2, optimizer=Nft())
    (told,) = caught.value.problems
    assert (caught.value.code, told.pointer) == ("angle-without-curve", "/algorithm/optimizer/name")
    assert "gamma_0, gamma_1 have" in told.reason
    assert loop(weights, layers=2)[0].spectra == ()


def test_derivatives_that_are_differences_are_said_to_be():
    draft, _ = loop(MaxCut(edges=((0, 1, 0.37), (1, 2, 0.911))), layers=1, optimizer=ParameterShift(difference=0.2))
    assert draft.notes == ("derivatives by gamma_0 are central differences over +-0.2 radians",)
    assert [spectrum is None for spectrum in draft.spectra] == [True, False]
    assert loop(layers=1, optimizer=ParameterShift())[0].notes == ()


def test_a_gradient_that_no_task_could_hold_gives_up_its_widest_rules_first():
    complete = MaxCut(edges=tuple((i, j, 1.0) for i in range(12) for j in range(i)))
    draft, _ = loop(complete, layers=8, optimizer=ParameterShift())
    rows = 1 + sum(2 * spectrum.count if spectrum else 2 for spectrum in draft.spectra)
    assert rows * 16 <= 2_048
    assert None in draft.spectra
    assert draft.spectra[-1].count == 2, "the last mixer has the narrowest light cone"


def test_a_loop_that_goes_on_from_an_earlier_job_has_nothing_to_pre_screen():
    document = OptimizeJob(problem=CHAIN, algorithm=Qaoa(layers=2), start=From(job="earlier"))
    draft, _ = loop_of(document, 1, Bounds())
    assert draft.start_points.shape == (1, 4)
    assert draft.estimate.parameter_sets == 3 * 20 + 1


def test_the_share_of_the_shots_that_counts_goes_with_the_loop():
    assert loop(cvar=0.2)[0].cvar == 0.2
    assert loop()[0].cvar is None
