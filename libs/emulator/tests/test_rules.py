"""Faults as data: windows, rates, counts, and draws that follow from the seed alone."""

from pathlib import Path

import pytest

from quire_emulator.calibrations import calibration
from quire_emulator.configuration import (
    DEVICES,
    Configuration,
    Device,
    Maintenance,
    Noise,
    read_configuration,
    read_rules,
)
from quire_emulator.machines import properties
from quire_emulator.rules import Book, Rule, draw


def _book(*rules, seed=1, at=100.0):
    book = Book(seed)
    for rule in rules:
        book.arm(rule, at)
    return book


def _met(book, times, operation="create", now=100.0):
    return [bool(book.of_call(operation, "device", now)) for _ in range(times)]


def test_a_rate_holds_on_average_and_follows_from_the_seed():
    rule = Rule(kind="error", id="e", rate=0.3)
    first, again, other = (_met(_book(rule, seed=seed), 1000) for seed in (1, 1, 2))
    assert first == again != other
    assert 250 < sum(first) < 350


def test_a_window_begins_and_ends():
    book = _book(Rule(kind="error", id="e", after=10.0, until=20.0))
    assert [bool(book.of_call("create", "d", now)) for now in (109.9, 110.0, 119.9, 120.0)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_window_comes_again():
    rule = Rule(kind="error", id="e", after=10.0, until=12.0, every=30.0)
    assert [rule.holds(100.0, 100.0 + after) for after in (9, 10, 11.9, 12, 39.9, 40, 41, 43)] == [
        False, True, True, False, False, True, True, False,
    ]  # fmt: skip


def test_a_count_ends_it():
    assert _met(_book(Rule(kind="error", id="e", count=2)), 4) == [True, True, False, False]


def test_a_rule_meets_its_device_and_operations():
    book = _book(Rule(kind="error", id="e", device="*iqm*", operations=frozenset({"get"})))
    assert book.of_call("get", "arn:iqm:x", 100.0)
    assert not book.of_call("get", "arn:ionq:x", 100.0)
    assert not book.of_call("create", "arn:iqm:x", 100.0)


def test_the_first_rule_that_comes_true_is_taken():
    book = _book(Rule(kind="error", id="a", count=1), Rule(kind="lost", id="b"))
    assert [book.of_call("create", "d", 100.0).id for _ in range(3)] == ["a", "b", "b"]


def test_a_job_may_suffer_from_several_rules():
    book = _book(Rule(kind="partial", id="p"), Rule(kind="withheld", id="w"), Rule(kind="lost", id="l"))
    assert {rule.id for rule in book.of_job("d", 100.0)} == {"p", "w"}


def test_a_disarmed_rule_happens_no_more():
    book = _book(Rule(kind="error", id="e"))
    book.disarm("e")
    assert _met(book, 3) == [False] * 3
    assert book.rules() == ()


def test_a_draw_lies_in_the_unit_interval_and_depends_on_every_name():
    drawn = [draw(1, "a", str(number)) for number in range(1000)]
    assert len(set(drawn)) == 1000
    assert 0 <= min(drawn) < 0.01
    assert 0.99 < max(drawn) < 1


def test_maintenance_comes_again():
    window = Maintenance(after=10.0, lasts=5.0, every=100.0)
    assert [window.until(age) for age in (9.0, 10.0, 14.9, 15.0, 112.0)] == [None, 15.0, 15.0, None, 115.0]
    assert Maintenance(after=10.0, lasts=5.0).until(112.0) is None


def test_calibrations_change_what_is_shown_and_suffered_together():
    device = Device(name="d", calibration_seconds=60.0, drift=0.5, noise=Noise(two_qubit=0.01))
    first, same, second = (calibration(device, 1, age) for age in (0.0, 59.0, 61.0))
    assert first == same
    assert (second.number, second.at) == (1, 60.0)
    assert first.noise.two_qubit != second.noise.two_qubit
    assert first.shown.two_qubit == first.noise.two_qubit
    assert first.noise.readout == 0.0 < first.shown.readout
    assert 0.005 <= second.noise.two_qubit <= 0.015


def test_a_backend_s_properties_drift_with_its_calibrations():
    (device,) = [device for device in DEVICES if device.name == "ibm_manila"]
    first, same, second = (properties(device, 1, age, 1e9 + age) for age in (0.0, 10.0, 3700.0))
    assert first == same
    assert first["last_update_date"] < second["last_update_date"]
    values = [
        next(row["value"] for row in each["qubits"][0] if row["name"] == "readout_error") for each in (first, second)
    ]
    assert values[0] != values[1] == pytest.approx(values[0], rel=0.25)


def test_a_configuration_is_read_and_its_mistakes_are_told(tmp_path):
    file = tmp_path / "cloud.toml"
    file.write_text('seed = 5\n[[faults]]\nkind = "throttle"\nrate = 0.1\noperations = ["get"]\n')
    found = read_configuration(file)
    assert (found.seed, found.devices) == (5, DEVICES)
    assert read_rules(file) == (Rule(kind="throttle", rate=0.1, operations=frozenset({"get"})),)
    assert read_configuration(None) == Configuration(devices=DEVICES)
    file.write_text("sed = 5\n")
    with pytest.raises(ValueError, match="sed"):
        read_configuration(file)


def test_the_committed_examples_are_read():
    examples = Path(__file__).parents[3] / "examples" / "emulator"
    cloud = read_configuration(examples / "cloud.toml")
    assert [device.name for device in cloud.devices] == ["Garnet", "Forte-1", "SV1", "ibm_manila"]
    assert [rule.kind for rule in read_rules(examples / "storm.toml")] == [
        "timeout-applied",
        "error",
        "throttle",
        "offline",
    ]
