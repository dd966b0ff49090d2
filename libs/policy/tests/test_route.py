"""Routing: which rule decides, what a job's own targets change, and how a bad file is refused."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_policy import Facts, RulesError, default_rules, load_rules, parse_rules, route

TARGETS = ["simulation", "qiskit:aer", "braket:local", "qiskit:fake_manila"]
MAIN = Facts(
    kind="sample",
    phase="main",
    priority="research",
    tenant="acme",
    project="default",
    qubits=2,
    shots=100,
    parameter_sets=1,
)


def with_(**changes: object) -> Facts:
    return msgspec.structs.replace(MAIN, **changes)


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        (MAIN, "qiskit:aer"),
        (with_(parameter_sets=31), "qiskit:aer"),
        (with_(parameter_sets=32), "simulation"),
        (with_(phase="sweep"), "simulation"),
        (with_(phase="round"), "qiskit:aer"),
        (with_(phase="final"), "braket:local"),
    ],
)
def test_the_default_rules(facts: Facts, first: str) -> None:
    assert route(default_rules(), facts).targets[0] == first


def test_a_jobs_own_targets_restrict_the_rule_and_keep_its_order() -> None:
    decided = route(default_rules(), with_(phase="sweep", targets=("braket:local", "qiskit:aer")))
    assert decided.targets == ("qiskit:aer", "braket:local")
    assert decided.reasons[1:] == ("the job does not allow simulation",)


def test_targets_that_no_rule_names_run_in_the_jobs_order() -> None:
    decided = route(default_rules(), with_(targets=("qiskit:fake_manila", "qiskit:fake_lima")))
    assert decided.targets == ("qiskit:fake_manila", "qiskit:fake_lima")
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
