"""Routing: which rule decides, what a job's own targets change, and how a bad file is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_cases import MAIN, Load, with_

from quire_policy import Facts, RulesError, default_rules, load_rules, parse_rules, route, turned_away

TARGETS = ["simulation", "qiskit:aer", "braket:local", "qiskit:fake_manila"]
PHASED = parse_rules(
    """
    [[rule]]
    name = "sweeps"
    when = { phase = "sweep" }
    targets = ["simulation", "qiskit:aer", "braket:local"]
    [[rule]]
    name = "all"
    targets = ["simulation", "qiskit:aer", "braket:local"]
    """,
    "test",
)


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        (MAIN, "simulation"),
        (with_(parameter_sets=32), "simulation"),
        (with_(phase="sweep"), "simulation"),
        (with_(phase="round"), "simulation"),
        (with_(phase="final"), "simulation"),
        (with_(phase="round", targets=("simulation", "braket:local")), "simulation"),
        (with_(phase="sweep", targets=("simulation", "braket:local", "qiskit:aer")), "simulation"),
        (with_(phase="round", targets=("simulation", "braket:local", "qiskit:aer")), "qiskit:aer"),
        (with_(phase="final", targets=("simulation", "braket:local", "qiskit:aer")), "braket:local"),
    ],
)
def test_the_default_rules(facts: Facts, first: str) -> None:
    assert route(default_rules(), facts).targets[0] == first


def test_a_jobs_own_targets_restrict_the_rule_and_keep_its_order() -> None:
    decided = route(PHASED, with_(phase="sweep", targets=("braket:local", "qiskit:fake_lima", "qiskit:aer")))
    assert decided.targets == ("qiskit:aer", "braket:local", "qiskit:fake_lima")
    assert decided.reasons[1:] == (
        "the job does not allow simulation",
        "the job also allows qiskit:fake_lima",
    )


@pytest.mark.parametrize(("phase", "targets"), [("main", ("braket:local", "simulation")), ("sweep", ("a:b", "c:d"))])
def test_a_jobs_own_order_decides_where_no_rule_has_conditions_about_it(phase: str, targets: tuple[str, ...]) -> None:
    decided = route(PHASED, with_(phase=phase, targets=targets))
    assert decided.targets == targets
    assert any("own order decides" in reason for reason in decided.reasons)


@given(
    phase=st.sampled_from(["main", "sweep", "round", "final"]),
    sets=st.integers(1, 10_000),
    shots=st.none() | st.integers(1, 10**6),
    targets=st.lists(st.sampled_from(TARGETS), unique=True).map(tuple),
)
def test_there_is_always_a_route_and_it_holds_the_jobs_targets_exactly(
    phase: str, sets: int, shots: int | None, targets: tuple[str, ...]
) -> None:
    decided = route(default_rules(), with_(phase=phase, parameter_sets=sets, shots=shots, targets=targets))
    assert len(set(decided.targets)) == len(decided.targets) > 0
    assert decided.rules
    if targets:
        assert set(decided.targets) == set(targets)


def test_conditions_on_words_numbers_and_exactness() -> None:
    rules = parse_rules(
        """
        [[rule]]
        name = "exact and wide"
        when = { exact = true, min_qubits = 10, tenant = ["acme", "globex"] }
        targets = ["simulation"]
        [[rule]]
        name = "few shots"
        when = { max_shots = 10 }
        targets = ["braket:local"]
        [[rule]]
        name = "rest"
        targets = ["qiskit:aer"]
        """,
        "test",
    )
    assert route(rules, with_(shots=None, qubits=10)).rules == ("exact and wide",)
    assert route(rules, with_(shots=None, qubits=9)).rules == ("rest",)
    assert route(rules, with_(shots=None, qubits=10, tenant="other")).rules == ("rest",)
    assert route(rules, with_(shots=10)).rules == ("few shots",)


QPU = with_(targets=("qiskit:fake_lima", "simulation"))
RELIEVED = """
[[rule]]
name = "all"
targets = ["qiskit:aer", "simulation", "braket:local"]
[[relief]]
name = "flee"
when = { min_error_rate = 0.5, target = ["qiskit:aer"] }
do = "switch"
[[relief]]
name = "blur"
when = { min_wait_seconds = 2.5, seeded = false }
do = "fewer-shots"
[[relief]]
name = "model"
when = { min_wait_seconds = 60 }
do = "simulate"
[[relief]]
name = "later"
when = { min_waiting = 100, priority = "research" }
do = "delay"
seconds = 3
"""
LONG, FAILING = Load(waiting=200, wait_seconds=90.0), Load(error_rate=0.6)


@pytest.mark.parametrize(
    ("facts", "loads", "target", "shots", "delay", "relief"),
    [
        (MAIN, {}, "qiskit:aer", None, 0.0, None),
        (MAIN, {"simulation": LONG}, "qiskit:aer", None, 0.0, None),
        (MAIN, {"qiskit:aer": FAILING}, "simulation", None, 0.0, "flee"),
        (MAIN, {"qiskit:aer": FAILING, "simulation": FAILING}, "braket:local", None, 0.0, "flee"),
        (with_(targets=("simulation",)), {"simulation": FAILING}, "simulation", None, 0.0, None),
        (with_(min_shots=10), {"qiskit:aer": LONG}, "qiskit:aer", 10, 0.0, "blur"),
        (with_(min_shots=10, seeded=True), {"qiskit:aer": LONG}, "simulation", None, 0.0, "model"),
        (with_(min_shots=100), {"qiskit:aer": LONG}, "simulation", None, 0.0, "model"),
        (with_(shots=None), {"qiskit:aer": LONG}, "simulation", None, 0.0, "model"),
        (with_(targets=("qiskit:aer",)), {"qiskit:aer": LONG}, "qiskit:aer", None, 3.0, "later"),
        (with_(targets=("qiskit:aer",)), {"qiskit:aer": FAILING}, "qiskit:aer", None, 0.0, None),
        (with_(targets=("qiskit:aer",), seconds_left=2.0), {"qiskit:aer": LONG}, "qiskit:aer", None, 0.0, None),
        (with_(seeded=True), {"qiskit:aer": LONG, "simulation": LONG}, "qiskit:aer", None, 3.0, "later"),
        (with_(targets=("qiskit:aer",), priority="production"), {"qiskit:aer": LONG}, "qiskit:aer", None, 0.0, None),
    ],
)
def test_an_overloaded_target_is_relieved_as_the_rules_say_and_as_the_job_allows(
    facts: Facts, loads: dict[str, Load], target: str, shots: int | None, delay: float, relief: str | None
) -> None:
    decided = route(parse_rules(RELIEVED, "test"), facts, loads)
    assert (decided.targets[0], decided.shots, decided.delay_seconds) == (target, shots, delay)
    assert decided.rules == ("all", relief) if relief else decided.rules == ("all",)
    if relief:
        assert f"relief `{relief}`" in decided.reasons[-1]
        assert "qiskit:aer has" in decided.reasons[-1]


@given(
    targets=st.lists(st.sampled_from(TARGETS), unique=True).map(tuple),
    loads=st.dictionaries(
        st.sampled_from(TARGETS),
        st.builds(Load, st.integers(0, 1_000), st.floats(0, 100), st.floats(0, 1)),
    ),
    shots=st.none() | st.integers(2, 1_000),
    seeded=st.booleans(),
)
def test_relief_stays_inside_what_the_job_allows(
    targets: tuple[str, ...], loads: dict[str, Load], shots: int | None, seeded: bool
) -> None:
    facts = with_(targets=targets, shots=shots, min_shots=2, seeded=seeded)
    calm, decided = route(default_rules(), facts), route(default_rules(), facts, loads)
    assert sorted(decided.targets) == sorted(calm.targets)
    assert decided.shots in {None, 2}
    assert decided.shots is None or shots is not None
    if seeded:  # it asks to be repeatable: whatever the load, the same
        assert (decided.targets, decided.shots) == (calm.targets, None)


@pytest.mark.parametrize(
    ("facts", "loads", "target", "shots", "delay"),
    [
        (MAIN, {"simulation": Load(wait_seconds=40)}, "simulation", None, 5.0),
        (with_(priority="production"), {"simulation": Load(wait_seconds=40)}, "simulation", None, 0.0),
        (with_(min_shots=20), {"simulation": Load(wait_seconds=40)}, "simulation", 20, 0.0),
        (MAIN, {"simulation": Load(wait_seconds=4000)}, "simulation", None, 5.0),
        (MAIN, {"simulation": Load(error_rate=0.6)}, "qiskit:aer", None, 0.0),
        (with_(seeded=True), {"simulation": Load(wait_seconds=70, error_rate=1)}, "simulation", None, 5.0),
        (QPU, {"qiskit:fake_lima": Load(wait_seconds=6)}, "simulation", None, 0.0),
        (QPU, {"qiskit:fake_lima": Load(wait_seconds=40), "simulation": Load(wait_seconds=6)}, "simulation", None, 0.0),
    ],
)
def test_the_default_reliefs(
    facts: Facts, loads: dict[str, Load], target: str, shots: int | None, delay: float
) -> None:
    decided = route(default_rules(), facts, loads)
    assert (decided.targets[0], decided.shots, decided.delay_seconds) == (target, shots, delay)


REFUSING = """
[[rule]]
name = "all"
targets = ["qiskit:aer", "simulation"]
[[relief]]
name = "elsewhere"
when = { min_wait_seconds = 10, seeded = false }
do = "switch"
[[refusal]]
name = "full"
when = { min_wait_seconds = 60, priority = ["research", "validation"] }
[[refusal]]
name = "broken"
when = { min_error_rate = 0.9 }
seconds = 12
"""
DOOR = with_(qubits=None, parameter_sets=None)


@pytest.mark.parametrize(
    ("facts", "loads", "rule", "target", "again"),
    [
        (DOOR, {}, None, "", 0),
        (DOOR, {"qiskit:aer": LONG}, None, "", 0),
        (DOOR, {"qiskit:aer": LONG, "simulation": LONG}, "full", "qiskit:aer", 30),
        (with_(seeded=True), {"qiskit:aer": LONG}, "full", "qiskit:aer", 30),
        (with_(seeded=True), {"qiskit:aer": Load(wait_seconds=60.0)}, "full", "qiskit:aer", 1),
        (with_(seeded=True), {"qiskit:aer": Load(wait_seconds=59.0)}, None, "", 0),
        (with_(seeded=True, priority="production"), {"qiskit:aer": LONG}, None, "", 0),
        (DOOR, {"qiskit:aer": Load(error_rate=1.0)}, "broken", "qiskit:aer", 12),
        (with_(targets=("simulation",)), {"simulation": LONG}, "full", "simulation", 30),
    ],
)
def test_a_job_is_turned_away_where_no_relief_helps_it(
    facts: Facts, loads: dict[str, Load], rule: str | None, target: str, again: float
) -> None:
    turned = turned_away(parse_rules(REFUSING, "test"), facts, loads)
    if rule is None:
        assert turned is None
    else:
        assert turned is not None
        assert (turned.rule, turned.target, turned.again_seconds) == (rule, target, again)
        assert target in turned.reason


def test_the_default_refusals_are_generous_and_harder_on_research() -> None:
    behind = {target: Load(waiting=10, wait_seconds=1000.0) for target in TARGETS}
    turned = turned_away(default_rules(), DOOR, behind)
    assert turned is not None
    assert turned.limit == "min_wait_seconds = 900, priority = research"
    assert turned_away(default_rules(), with_(priority="customer-facing"), behind) is None
    assert turned_away(default_rules(), DOOR, {target: Load(wait_seconds=899.0) for target in TARGETS}) is None


def test_every_fault_of_a_refusal_is_named_at_once() -> None:
    text = """
    [[rule]]
    name = "all"
    targets = ["simulation"]
    [[refusal]]
    when = { priority = "research" }
    seconds = true
    do = "delay"
    """
    with pytest.raises(RulesError) as caught:
        parse_rules(text, "test")
    for part in ["refusal number 1: `name` is missing", "must name one of", "`seconds` must", "unknown field `do`"]:
        assert part in str(caught.value)


def test_every_fault_of_a_relief_is_named_at_once() -> None:
    text = """
    [[rule]]
    name = "all"
    targets = ["simulation"]
    [[relief]]
    name = "all"
    when = { phase = "main" }
    do = "nothing"
    [[relief]]
    when = { min_wait_seconds = "long", min_waiting = 1 }
    do = "delay"
    [[relief]]
    name = "odd"
    when = { min_error_rate = 0.5, target = 3 }
    do = "switch"
    seconds = 2
    """
    with pytest.raises(RulesError) as caught:
        parse_rules(text, "test")
    text = str(caught.value)
    for part in ["stands twice", "`do` must", "must name one of", "min_wait_seconds", "`seconds` must", "only a delay"]:
        assert part in text
    assert "relief number 2: `name` is missing" in text
    assert "`target` must be a word" in text


def test_every_fault_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        """
        [[rule]]
        name = "one"
        targets = ["No Target"]
        when = { colour = "red", min_qubits = "many", phase = 3, exact = 1 }
        [[rule]]
        targets = []
        speed = 1
        when = { phase = "main" }
        """
    )
    with pytest.raises(RulesError) as caught:
        load_rules(path)
    text = str(caught.value)
    for part in ["No Target", "colour", "min_qubits", "phase", "exact", "name", "targets", "speed", "last rule"]:
        assert part in text


def test_what_is_not_toml_is_refused() -> None:
    with pytest.raises(RulesError, match="not TOML"):
        parse_rules("[[rule", "broken")
