"""Reliefs that look at what a gateway says of work: pre-screening, price, worth and noise."""

from typing import NamedTuple

import msgspec
import pytest
from policy_cases import Load, with_

from quire_policy import RulesError, default_rules, parse_rules, route


class Said(NamedTuple):
    """What a gateway says of work at a target."""

    device: bool = True
    usd: float = 0.0
    fidelity: float | None = None
    worth: float | None = None


def test_start_points_for_a_device_are_simulated_though_the_job_does_not_name_the_simulator() -> None:
    known = with_(kind="optimize", phase="sweep", targets=("aws:garnet",), appraised={"aws:garnet": Said()}, qubits=20)
    decided = route(default_rules(), known)
    assert decided.targets == ("simulation", "aws:garnet")
    assert decided.rules[-1] == "start points for a device are tried on the batched simulator, and the best goes on"
    assert "because aws:garnet is a device" in decided.reasons[-1]
    for other in (
        msgspec.structs.replace(known, phase="round"),
        msgspec.structs.replace(known, qubits=25),
        msgspec.structs.replace(known, appraised={"aws:garnet": Said(device=False)}),
        msgspec.structs.replace(known, appraised={}),
    ):
        assert route(default_rules(), other).targets == ("aws:garnet",)


WORTHY = """
[[rule]]
name = "all"
targets = ["simulation"]
[[relief]]
name = "not worth its price"
when = { min_usd = 0.5, max_worth = 0.01 }
do = "simulate"
anyway = true
[[relief]]
name = "too noisy"
when = { max_fidelity = 0.5 }
do = "switch"
"""


@pytest.mark.parametrize(
    ("said", "first"),
    [
        (Said(usd=0.6, worth=0.005), "simulation"),
        (Said(usd=0.6, worth=0.02), "aws:garnet"),
        (Said(usd=0.4, worth=0.005), "aws:garnet"),
        (Said(usd=0.6), "aws:garnet"),
        (Said(fidelity=0.4), "qiskit:aer"),
        (Said(fidelity=0.6), "aws:garnet"),
    ],
)
def test_a_target_is_passed_over_for_its_price_its_worth_and_its_noise_as_far_as_they_are_known(said, first) -> None:
    facts = with_(targets=("aws:garnet", "qiskit:aer"), appraised={"aws:garnet": said})
    decided = route(parse_rules(WORTHY, "test"), facts)
    assert decided.targets[0] == first
    if first == "simulation":
        assert "costs up to 0.60 USD" in decided.reasons[-1]
        assert "better than the classical answer by 0.50%" in decided.reasons[-1]


def test_a_relief_that_looks_at_load_and_at_worth_needs_both() -> None:
    rules = parse_rules(WORTHY.replace("min_usd = 0.5", "min_wait_seconds = 9"), "test")
    facts = with_(targets=("aws:garnet",), appraised={"aws:garnet": Said(usd=0.6, worth=0.0)})
    assert route(rules, facts).targets == ("aws:garnet",)
    busy = route(rules, facts, {"aws:garnet": Load(waiting=3, wait_seconds=10.0)})
    assert busy.targets == ("simulation", "aws:garnet")
    assert "3 tasks waiting" in busy.reasons[-1]
    assert "expected to be better" in busy.reasons[-1]


def test_only_a_relief_looks_at_worth_and_only_simulate_goes_anyway() -> None:
    text = """
    [[rule]]
    name = "all"
    when = { device = true }
    targets = ["simulation"]
    [[refusal]]
    name = "out"
    when = { min_usd = 3 }
    [[relief]]
    name = "odd"
    when = { device = "yes", max_worth = "none" }
    do = "switch"
    anyway = true
    """
    with pytest.raises(RulesError) as caught:
        parse_rules(text, "test")
    for part in [
        "rule `all`: unknown condition `device`",
        "refusal `out`: unknown condition `min_usd`",
        "relief `odd`: `device` must be true or false",
        "relief `odd`: `max_worth` must be a number",
        "only `simulate` has it",
    ]:
        assert part in str(caught.value)
