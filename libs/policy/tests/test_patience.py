"""The value of waiting: what argues for it, what against, and that what nobody knows argues for it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_policy import Outlook, Patience, RulesError, break_even, choose, comes_too_late, default_rules, parse_rules
from quire_policy.fallback import RESERVE_SECONDS

PLAIN = Patience("plain", {})
RULE = '[[rule]]\nname = "all"\ntargets = ["simulation"]\n'
SECONDS = st.floats(0, 1e4)


def outlook(**known: object) -> Outlook:
    return msgspec.structs.replace(Outlook(target="ibm:manila"), **known)


def priced(percent: float, second: float) -> Patience:
    return msgspec.structs.replace(PLAIN, usd_per_percent=percent, usd_per_second=second)


def test_the_rules_that_ship_wait_for_what_nobody_knows_and_leave_what_is_free_to_run() -> None:
    (patience,) = default_rules().patiences
    assert (patience.late, patience.when) == ("unpaid", {})
    assert choose(patience, outlook(proven=True)).waits
    assert choose(patience, outlook(seconds_left=5.0, expected_seconds=60.0)).waits


def test_a_classical_answer_that_is_proven_optimal_is_taken_where_that_is_enough() -> None:
    enough = msgspec.structs.replace(PLAIN, proven_is_enough=True)
    assert choose(enough, outlook()).waits
    taken = choose(enough, outlook(proven=True))
    assert not taken.waits
    assert "proven optimal" in taken.reason


def test_who_does_not_speculate_sends_nothing_that_would_come_too_late() -> None:
    late = outlook(seconds_left=5.0, expected_seconds=8.0)
    careful = msgspec.structs.replace(PLAIN, speculate=False)
    assert choose(PLAIN, late).waits
    found = choose(careful, late)
    assert not found.waits
    assert found.reason == "ibm:manila is expected to answer in 8.0 s, the deadline is in 5.0 s"
    assert found.figures == {"seconds_left": 5.0, "expected_seconds": 8.0}
    assert choose(careful, outlook(seconds_left=5.0)).waits, "nobody knows how long it takes"
    assert choose(careful, outlook(seconds_left=5.0, expected_seconds=2.0)).waits


@given(left=SECONDS, seconds=SECONDS)
def test_an_answer_comes_too_late_when_the_job_has_had_to_end(left: float, seconds: float) -> None:
    known = outlook(seconds_left=left, expected_seconds=seconds)
    assert comes_too_late(known) == (seconds > left - RESERVE_SECONDS)


@pytest.mark.parametrize(
    ("gain", "seconds", "usd", "waits"),
    [
        (0.02, 10.0, 0.0, True),  # 2 percent are worth 2 USD, ten seconds cost 1
        (0.02, 10.0, 1.5, False),  # and 1.50 at the provider
        (0.005, 10.0, 0.0, False),
        (0.0, 0.0, 0.0, True),  # nothing is worth nothing, and costs nothing
        (None, 1e6, 1e6, True),  # nobody knows what it brings
    ],
)
def test_waiting_is_worth_it_while_the_gain_is_worth_more_than_time_and_money(
    gain: float | None, seconds: float, usd: float, *, waits: bool
) -> None:
    known = outlook(expected_gain=gain, expected_seconds=seconds, expected_usd=usd)
    assert choose(priced(1.0, 0.1), known).waits is waits


def test_what_is_proven_optimal_gains_nothing_whatever_history_says() -> None:
    found = choose(priced(1.0, 0.1), outlook(expected_gain=0.5, expected_seconds=1.0, proven=True))
    assert (found.waits, found.figures["worth_usd"], found.figures["price_usd"]) == (False, 0.0, 0.1)


def test_a_wait_is_given_up_when_it_has_cost_what_it_could_gain() -> None:
    known = outlook(expected_gain=0.02, expected_usd=5.0)
    assert break_even(priced(1.0, 0.1), known) == pytest.approx(20.0), "2 USD at 10 cents a second; the 5 are spent"
    assert break_even(priced(1.0, 0.0), known) is None
    assert break_even(PLAIN, known) is None
    assert break_even(priced(1.0, 0.1), outlook()) is None
    assert break_even(priced(1.0, 0.1), outlook(expected_gain=0.02, proven=True)) == 0.0


@given(gain=st.floats(0, 1), more=st.floats(0, 1), seconds=SECONDS, usd=st.floats(0, 100))
def test_more_gain_never_argues_against_waiting(gain: float, more: float, seconds: float, usd: float) -> None:
    known = outlook(expected_gain=gain, expected_seconds=seconds, expected_usd=usd)
    better = msgspec.structs.replace(known, expected_gain=gain + more)
    if choose(priced(1.0, 0.01), known).waits:
        assert choose(priced(1.0, 0.01), better).waits


def test_a_table_of_patience_is_read_and_its_faults_are_named() -> None:
    table = (
        '[[patience]]\nname = "soon"\nwhen = { priority = "customer-facing" }\nusd_per_percent = 1\n'
        'usd_per_second = 0.01\nspeculate = false\nlate = "keep"\n[[patience]]\nname = "rest"\n'
    )
    soon, rest = parse_rules(RULE + table, "x").patiences
    assert soon == Patience("soon", {"priority": ("customer-facing",)}, 1.0, 0.01, speculate=False, late="keep")
    assert rest == Patience("rest", {})
    assert parse_rules(RULE, "x").patiences == default_rules().patiences
    with pytest.raises(RulesError) as caught:
        parse_rules(RULE + '[[patience]]\nname = "p"\nusd_per_second = -1\nlate = "no"\nproven_is_enough = 1\n', "x")
    assert [fault.partition(": ")[2].split(" must")[0] for fault in caught.value.faults] == [
        "`usd_per_second`",
        "`proven_is_enough`",
        "`late`",
    ]
    with pytest.raises(RulesError, match="the last patience must have no conditions"):
        parse_rules(RULE + '[[patience]]\nname = "p"\nwhen = { priority = "research" }\n', "x")
