"""Rules on answers: what breaks one is named, and gives way or goes to a person as the rule says."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_cases import with_

from quire_contracts.verdict import AnswerRules
from quire_policy import Acceptance, Figures, RulesError, accept, default_rules, objections, parse_rules

NOTHING = Acceptance("nothing is asked", {})
GOOD = Figures(
    objective=10.0,
    feasible_share=0.9,
    approximation_ratio=0.95,
    gap=0.05,
    confidence=0.8,
    classical=9.5,
    classical_gap=0.1,
)
BREAKS = {
    "objective_at_least": 10.5,
    "objective_at_most": 9.9,
    "feasible_share_at_least": 0.95,
    "approximation_ratio_at_least": 0.96,
    "gap_at_most": 0.04,
    "confidence_at_least": 0.81,
}
HOLDS = {
    "objective_at_least": 10.0,
    "objective_at_most": 10.0,
    "feasible_share_at_least": 0.9,
    "approximation_ratio_at_least": 0.95,
    "gap_at_most": 0.05,
    "confidence_at_least": 0.8,
}
FACTS = with_(kind="optimize", phase="final", qubits=4)


def test_an_answer_of_which_nothing_is_asked_stands():
    assert accept(NOTHING, None, GOOD).outcome == "accept"
    assert accept(NOTHING, AnswerRules(), GOOD).why == ()


def test_beside_a_better_classical_answer_the_better_one_counts():
    found = accept(NOTHING, None, msgspec.structs.replace(GOOD, behind=True, classical=12.0))
    assert (found.outcome, found.why) == ("blend", ("the classical answer is better: 12",))


def test_every_limit_holds_at_its_edge():
    assert accept(NOTHING, AnswerRules(**HOLDS), GOOD).outcome == "accept"


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize(("otherwise", "outcome"), [("person", "person"), ("classical", "reject")])
def test_each_limit_is_broken_by_itself_and_named(name, otherwise, outcome):
    spare = msgspec.structs.replace(
        GOOD, classical=BREAKS.get(name) if name.startswith("objective") else 9.5, classical_gap=0.0
    )
    found = accept(NOTHING, AnswerRules(**{name: BREAKS[name]}, otherwise=otherwise), spare)
    assert found.outcome == outcome
    (why,) = found.why
    assert f"{BREAKS[name]:g} at {'most' if name.endswith('most') else 'least'}" in why


@pytest.mark.parametrize("name", [name for name in BREAKS if not name.startswith("objective")])
def test_what_is_not_known_breaks_a_jobs_rule_and_no_operators(name):
    unknown = Figures(objective=10.0)
    assert accept(NOTHING, AnswerRules(**{name: BREAKS[name]}), unknown).outcome == "person"
    assert accept(Acceptance("strict", {}, **{name: BREAKS[name]}), None, unknown).outcome == "accept"


def test_an_infeasible_answer_has_no_objective_within_bounds():
    found = accept(NOTHING, AnswerRules(objective_at_least=1.0), msgspec.structs.replace(GOOD, objective=None))
    assert found.outcome == "person"


@pytest.mark.parametrize("classical", [None, 10.4])
def test_the_classical_answer_takes_its_place_only_where_it_keeps_the_rules(classical):
    rules = AnswerRules(objective_at_least=10.5, otherwise="classical")
    assert accept(NOTHING, rules, msgspec.structs.replace(GOOD, classical=classical)).outcome == "person"
    assert accept(NOTHING, rules, msgspec.structs.replace(GOOD, classical=10.5)).outcome == "reject"


def test_where_one_rule_asks_for_a_person_a_person_is_asked():
    rules = AnswerRules(confidence_at_least=0.9, otherwise="classical")
    strict = Acceptance("strict", {}, gap_at_most=0.01)
    found = accept(strict, rules, GOOD)
    assert (found.outcome, len(found.why)) == ("person", 2)
    assert found.why[1].endswith("(strict)")
    assert accept(msgspec.structs.replace(strict, otherwise="classical"), rules, GOOD).outcome == "reject"


def test_what_contradicts_a_proof_goes_to_a_person_whatever_the_rules_say():
    wrong = msgspec.structs.replace(GOOD, contradiction="better than the optimum, which cannot be")
    found = accept(NOTHING, AnswerRules(confidence_at_least=0.9, otherwise="classical"), wrong)
    assert found.outcome == "person"
    assert found.why[0] == "better than the optimum, which cannot be"


def test_objections_to_a_classical_answer_are_those_to_its_objective_and_gap():
    rules = AnswerRules(objective_at_least=10.0, gap_at_most=0.1, confidence_at_least=1.0)
    assert objections(rules, objective=10.0, gap=0.1) == ()
    assert len(objections(rules, objective=9.0, gap=None)) == 2
    assert objections(None, objective=None, gap=None) == ()


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_more_confidence_never_makes_an_answer_less_welcome(asked, less, more):
    less, more = sorted((less, more))
    rules = AnswerRules(confidence_at_least=asked)
    outcomes = [accept(NOTHING, rules, msgspec.structs.replace(GOOD, confidence=each)).outcome for each in (less, more)]
    assert outcomes in (["accept", "accept"], ["person", "accept"], ["person", "person"])


def test_the_rules_that_ship_send_what_is_far_off_to_a_person():
    shipped = default_rules().acceptance(FACTS)
    assert accept(shipped, None, GOOD).outcome == "accept"
    for far in ({"approximation_ratio": 0.4}, {"confidence": 0.05}):
        assert accept(shipped, None, msgspec.structs.replace(GOOD, **far)).outcome == "person"


RULES = '[[rule]]\nname = "all"\ntargets = ["simulation"]\n'


def test_an_operators_acceptance_is_data():
    text = RULES + (
        '[[acceptance]]\nname = "production"\nwhen = { priority = "production" }\nconfidence_at_least = 0.9\n'
        'otherwise = "classical"\n[[acceptance]]\nname = "others"\n'
    )
    rules = parse_rules(text, "rules.toml")
    assert rules.acceptance(FACTS).name == "others"
    strict = rules.acceptance(msgspec.structs.replace(FACTS, priority="production"))
    assert (strict.confidence_at_least, strict.otherwise) == (0.9, "classical")
    assert parse_rules(RULES, "rules.toml").acceptances == default_rules().acceptances


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('name = "a"\nconfidence_at_least = 1.5', "acceptance `a`: `confidence_at_least` must be a number from 0 to 1"),
        ('name = "a"\ngap_at_most = "small"', "acceptance `a`: `gap_at_most` must be a number from 0 to 1e+09"),
        ('name = "a"\notherwise = "ignore"', "acceptance `a`: `otherwise` must be one of person, classical"),
        ('name = "a"\nobjective_at_least = 1', "acceptance `a`: unknown field `objective_at_least`"),
        ('name = "a"\nwhen = { priority = "production" }', "the last acceptance must have no conditions"),
    ],
)
def test_a_faulty_acceptance_is_named_with_its_field(table, fault):
    with pytest.raises(RulesError, match=fault.replace("+", r"\+")):
        parse_rules(f"{RULES}[[acceptance]]\n{table}\n", "rules.toml")
