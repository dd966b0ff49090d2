"""The fallback chain: which step follows from which trouble, and what is never done."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_cases import with_

from quire_policy import Fallback, RulesError, Trouble, default_rules, next_step, parse_rules
from quire_policy.fallback import FAILURES, STEPS

CHAIN = Fallback("all", {}, settle_after_seconds=60, give_up_after_seconds=600)
TARGETS = ("aws:forte", "ibm:manila", "simulation")
AT_FORTE = Trouble(target="aws:forte", targets=TARGETS, earlier=False)


def trouble(kind: str = "", code: str = "device-offline", *, retryable: bool = True, **changes: object) -> Trouble:
    fault = (kind, code, "the device sleeps", retryable) if kind else None
    return msgspec.structs.replace(AT_FORTE, fault=fault, **changes)


def chain(**changes: object) -> Fallback:
    return msgspec.structs.replace(CHAIN, **changes)


@pytest.mark.parametrize(
    ("kind", "code", "action", "target"),
    [
        ("transient", "timeout", "again", "aws:forte"),
        ("calibration", "stale", "recompile", "aws:forte"),
        ("calibration", "calibration-drifted", "other", "ibm:manila"),
        ("offline", "device-offline", "other", "ibm:manila"),
        ("capacity", "too-many-jobs", "other", "ibm:manila"),
        ("spend", "limit-reached", "other", "ibm:manila"),
        ("invalid", "unsupported-width", "other", "ibm:manila"),
        ("invalid", "bad-program", "end", None),
        ("unknown", "submission-parked", "end", None),
        ("unknown", "given-up", "end", None),
        ("unknown", "blob-missing", "again", "aws:forte"),
    ],
)
def test_each_kind_of_fault_has_its_first_step(kind: str, code: str, action: str, target: str | None) -> None:
    found = next_step(CHAIN, trouble(kind, code))
    assert (found.action, found.target) == (action, target)
    assert "the device sleeps" in found.reason


def test_a_transient_fault_is_tried_as_often_as_the_chain_says_then_the_next_target() -> None:
    once = next_step(chain(tries=3), trouble("transient"))
    assert (once.action, once.seconds, once.failures) == ("again", 0.0, ("aws:forte",))
    twice = next_step(chain(tries=3), trouble("transient", failures=once.failures))
    assert (twice.action, twice.seconds) == ("again", 1.0)
    assert next_step(chain(tries=3), trouble("transient", failures=once.failures, after_seconds=90)).seconds == 90
    moved = next_step(chain(tries=3), trouble("transient", failures=twice.failures))
    assert (moved.action, moved.target, moved.ruled_out) == ("other", "ibm:manila", ("aws:forte",))


def test_a_compilation_is_made_again_once_then_the_next_target() -> None:
    first = next_step(CHAIN, trouble("calibration"))
    assert next_step(CHAIN, trouble("calibration", failures=first.failures)).target == "ibm:manila"
    assert next_step(chain(steps=("again", "other")), trouble("calibration")).target == "ibm:manila"


def test_a_target_that_is_away_is_not_ruled_out_and_uses_up_no_try() -> None:
    found = next_step(CHAIN, trouble("offline"))
    assert (found.ruled_out, found.failures) == ((), ())


def test_targets_that_take_no_work_are_passed_over_with_their_reason() -> None:
    down = {"aws:forte": "in maintenance", "ibm:manila": "queue closed"}
    found = next_step(CHAIN, trouble(down=down))
    assert (found.action, found.target) == ("other", "simulation")
    assert found.reason == "simulation instead of aws:forte, which takes no work: in maintenance"


def test_work_waits_while_all_targets_are_away_and_looks_again_when_a_patience_ends() -> None:
    down = dict.fromkeys(TARGETS, "away")
    waits = next_step(CHAIN, trouble(down=down))
    assert (waits.action, waits.waits_for, waits.seconds) == ("wait", TARGETS, 60)
    assert "aws:forte takes no work: away" in waits.reason
    later = next_step(CHAIN, trouble(down=down, waited=100))
    assert (later.action, later.seconds) == ("wait", 500)
    assert next_step(CHAIN, trouble(down=down, waited=600)).action == "end"
    assert next_step(CHAIN, trouble(down=down, seconds_left=31)).seconds == 30
    back = next_step(CHAIN, trouble(down={"ibm:manila": "away"}, waited=100))
    assert (back.action, back.target, back.reason) == ("again", "aws:forte", "aws:forte takes work again")


def test_a_target_that_is_full_is_asked_again_after_a_pause_that_grows() -> None:
    alone = {"targets": ("aws:forte",)}
    assert next_step(CHAIN, trouble("capacity", **alone)).seconds == 1
    assert next_step(CHAIN, trouble("capacity", returns=3, **alone)).seconds == 8
    assert next_step(CHAIN, trouble("capacity", after_seconds=30, returns=3, **alone)).seconds == 30
    assert next_step(CHAIN, trouble("capacity", returns=60, waited=70, **alone)).seconds == 60
    waits = next_step(CHAIN, trouble("capacity", **alone, down={"aws:forte": "in maintenance"}))
    assert (waits.seconds, waits.asks) == (1, {"aws:forte": 1})


def test_what_comes_back_because_all_know_that_its_target_is_away_waits_for_word_of_it() -> None:
    known = {"down": dict.fromkeys(TARGETS, "away")}
    waits = next_step(CHAIN, trouble("offline", "target-down", after_seconds=30, returns=5, **known))
    assert (waits.seconds, waits.asks) == (60, {})
    unknown = next_step(CHAIN, trouble("offline", "target-down", after_seconds=30, returns=1, targets=("aws:forte",)))
    assert unknown.asks == {"aws:forte": 2}, "this process has not heard of it yet"


def test_two_targets_that_are_both_away_are_not_asked_in_turns() -> None:
    first = next_step(CHAIN, trouble("offline", ruled_out=("simulation",)))
    assert (first.target, first.asks) == ("ibm:manila", {"aws:forte": 1})
    away = {"asks": {"aws:forte": 0.9}, "down": {"aws:forte": "away"}, "ruled_out": ("simulation",)}
    second = next_step(CHAIN, trouble("offline", target="ibm:manila", returns=1, **away))
    assert (second.action, second.seconds) == ("wait", 0.9)


def test_the_lesser_answers_come_when_patience_ends_in_the_chains_order() -> None:
    down = dict.fromkeys(TARGETS, "away")
    assert next_step(CHAIN, trouble(down=down, waited=59, lesser=True, earlier=True)).action == "wait"
    assert next_step(CHAIN, trouble(down=down, waited=60, lesser=True, earlier=None)).action == "ask"
    assert next_step(CHAIN, trouble(down=down, waited=60, lesser=True, earlier=True)).action == "cached"
    found = next_step(CHAIN, trouble(down=down, waited=60, lesser=True, earlier=False))
    assert (found.action, found.reason[:25]) == ("classical", "aws:forte takes no work: ")
    first = chain(steps=("again", "classical", "cached"))
    assert next_step(first, trouble(down=down, waited=60, lesser=True)).action == "classical"


def test_a_deadline_is_met_with_a_lesser_answer_before_patience_ends() -> None:
    down = dict.fromkeys(TARGETS, "away")
    late = next_step(CHAIN, trouble(down=down, lesser=True, earlier=False, seconds_left=1))
    assert late.action == "classical"
    assert next_step(CHAIN, trouble(down=down, seconds_left=1)).action == "wait"


def test_at_the_chains_end_with_nothing_to_wait_for_the_lesser_answer_comes_at_once() -> None:
    ruled = {"ruled_out": TARGETS[1:], "earlier": False}
    assert next_step(CHAIN, trouble("invalid", "unsupported-width", lesser=True, **ruled)).action == "classical"
    assert next_step(CHAIN, trouble("invalid", "unsupported-width", **ruled)).action == "end"
    wrong = trouble("invalid", "bad-program", earlier=None)
    assert next_step(CHAIN, wrong).action == "end", "work that nobody can run was never answered before"


@pytest.mark.parametrize(
    ("anyway", "targets", "target"),
    [
        (False, ("aws:forte",), None),
        (True, ("aws:forte",), "simulation"),
        (False, ("aws:forte", "simulation"), "simulation"),
    ],
)
def test_the_simulator_steps_in_where_the_work_may_run_there_or_the_operator_says_so(
    anyway: bool,
    targets: tuple[str, ...],
    target: str | None,
) -> None:
    steps = chain(steps=("again", "simulator"), simulate_anyway=anyway)
    found = next_step(steps, trouble("offline", targets=targets))
    assert (found.action, found.target) == (("simulator", target) if target else ("wait", None))


def test_an_operator_can_have_work_wait_for_its_target_although_another_is_up() -> None:
    patient = chain(leave_after_seconds=30)
    waits = next_step(patient, trouble(down={"aws:forte": "away"}, waited=10))
    assert (waits.action, waits.waits_for, waits.seconds) == ("wait", ("aws:forte",), 20)
    assert next_step(patient, trouble(down={"aws:forte": "away"}, waited=30)).target == "ibm:manila"
    stubborn = chain(steps=("again",))
    assert next_step(stubborn, trouble(down={"aws:forte": "away"}, waited=300)).waits_for == ("aws:forte",)


@pytest.mark.parametrize(
    ("kind", "code", "target", "together", "action"),
    [
        ("invalid", "bad-parameters", "aws:forte", 7, "alone"),
        ("invalid", "bad-parameters", "aws:forte", 1, "end"),
        ("unknown", "given-up", "simulation", 7, "alone"),
        ("unknown", "given-up", "simulation", 1, "end"),
        ("unknown", "given-up", "aws:forte", 7, "end"),
        ("unknown", "submission-parked", "aws:forte", 7, "end"),
    ],
)
def test_what_failed_in_company_runs_again_alone_where_that_is_safe(
    kind: str, code: str, target: str, together: int, action: str
) -> None:
    found = next_step(CHAIN, trouble(kind, code, retryable=False, target=target, together=together))
    assert (found.action, found.target) == (action, target if action == "alone" else None)
    if action == "alone":
        assert (found.ruled_out, found.failures) == ((), ())


KINDS = ["transient", "capacity", "offline", "calibration", "invalid", "spend", "unknown"]
NAMES = st.sampled_from(TARGETS)


@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, unique=True).map(tuple),
    kind=st.none() | st.sampled_from(KINDS),
    code=st.sampled_from(["x", "unsupported-width", "given-up", "submission-parked"]),
    retryable=st.booleans(),
    changes=st.fixed_dictionaries(
        {
            "target": NAMES,
            "targets": st.lists(NAMES, min_size=1, unique=True).map(tuple),
            "down": st.dictionaries(NAMES, st.just("away")),
            "ruled_out": st.lists(NAMES, unique=True).map(tuple),
            "failures": st.lists(NAMES, max_size=8).map(tuple),
            "together": st.integers(1, 3),
            "waited": st.floats(0, 1_000),
            "returns": st.integers(0, 100),
            "seconds_left": st.none() | st.floats(-5, 100),
            "lesser": st.booleans(),
            "earlier": st.none() | st.booleans(),
        }
    ),
)
def test_what_is_never_done(
    steps: tuple[str, ...], kind: str | None, code: str, retryable: bool, changes: dict[str, object]
) -> None:
    asked = trouble(kind or "", code, retryable=retryable, **changes)
    found = next_step(chain(steps=steps), asked)
    runs = found.target is not None
    assert runs == (found.action in {"again", "recompile", "other", "simulator", "alone"})
    if kind == "unknown" and code in {"given-up", "submission-parked"} and found.action != "alone":
        assert not runs
        assert found.action != "wait"
    if runs and found.action != "alone":
        assert found.target not in asked.down
        assert found.target not in asked.ruled_out
        assert found.action in steps
        assert len(found.failures) < FAILURES
    if kind == "unknown" and runs:
        assert found.target == asked.target
    if found.action == "wait":
        assert found.seconds > 0
        assert asked.waited < 600
        assert not set(found.waits_for) & set(asked.ruled_out)
    if found.action == "classical":
        assert asked.lesser
    if found.action == "ask":
        assert asked.earlier is None


def test_the_chains_that_ship_are_by_class_and_answer_customers_first() -> None:
    waits = [
        default_rules().chain(with_(priority=priority)).settle_after_seconds
        for priority in ("customer-facing", "production", "validation", "research")
    ]
    assert waits == sorted(waits)
    assert waits[0] <= 5


RULE = '[[rule]]\nname = "all"\ntargets = ["simulation"]\n'


def test_rules_without_a_chain_have_those_that_ship() -> None:
    assert parse_rules(RULE, "x").fallbacks == default_rules().fallbacks


def test_a_bad_chain_is_refused_with_every_fault() -> None:
    text = RULE + (
        '[[fallback]]\nname = "a"\nwhen = { priority = "research" }\nsteps = ["pray"]\ntries = 0\n'
        'simulate_anyway = "yes"\nleave_after_seconds = -1\npatience = 3\n'
    )
    with pytest.raises(RulesError) as caught:
        parse_rules(text, "x")
    told = "\n".join(caught.value.faults)
    for part in ("`steps`", "`tries`", "`simulate_anyway`", "`leave_after_seconds`", "`patience`", "no conditions"):
        assert part in told
