"""Mitigated batches through the gateway: the error falls, and the record says what was done, by which calibration."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from quire_contracts.mitigation import Mitigation, Readout, Zne
from quire_plane.reading import Recent
from quire_quantum.counts import PackedCounts, unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import normalise
from quire_quantum.structure import Angle, Operation, Structure
from quire_quantum_gateway.mitigating import Mitigating
from quire_quantum_gateway.providers.port import ProviderExecutor
from quire_quantum_gateway.providers.qiskit_provider import MachineSettings, qiskit_provider
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import FLIP

SHOTS = 20_000
OBSERVABLES = ({"IZZ": 1.0}, {"ZZI": 1.0}, {"XXX": 1.0})
READOUT, ZNE = Readout(shots=SHOTS), Zne(scale_factors=(1.0, 3.0, 5.0), extrapolation="exponential")


def layers(depth):
    """Alternating turns and entanglement on a line of three qubits."""
    operations = [Operation("h", (qubit,)) for qubit in range(3)]
    for _ in range(depth):
        operations += [Operation("cx", (0, 1)), Operation("cx", (1, 2))]
        operations += [Operation("ry", (qubit,), (Angle(0),)) for qubit in range(3)]
    return Structure(3, 0, 1, tuple(operations))


CIRCUIT, ANGLES = layers(4), np.array([[0.1], [0.45]])


@pytest.fixture(scope="module")
def provider():
    return qiskit_provider(("aer", "fake_manila"), MachineSettings(), SystemClock())


@pytest.fixture(scope="module")
def ideal(provider):
    observables = tuple(normalise(each, 3) for each in OBSERVABLES)
    work = Work(CIRCUIT, (Member(ANGLES),), None, observables)
    return ProviderExecutor(provider, "aer").execute(work).members[0].values


@pytest.fixture
def house(remote, provider):
    house = remote.House("forgetful")
    house.provider = provider
    gateway = house.gateway()
    mitigating = Mitigating(
        catalog={"qiskit": provider}, calls=gateway.desk.calls, lanes=house.lanes, blobs=house.blobs, clock=house.clock
    )
    house.gateway = replace(gateway, catalog={"qiskit": provider}, mitigating=mitigating)
    return house


@pytest.fixture
def run(house, make):
    """`run(mitigation, ...)` -> (values, std_errors, execution) of the circuit on a stand-in."""

    async def run(mitigation, batch_id="b1", target="qiskit:fake_manila", shots=SHOTS):
        batch = make.batch(
            CIRCUIT,
            [make.slice("a", ANGLES)],
            target=target,
            shots=shots,
            observables=OBSERVABLES,
            batch_id=batch_id,
        )
        executed = await house.gateway.run(msgspec.structs.replace(batch, mitigation=mitigation), None)
        (result,) = executed.results
        values, errors = (
            np.frombuffer(each.data.inline, "<f8").reshape(len(ANGLES), len(OBSERVABLES))
            for each in (result.values, result.std_errors)
        )
        return values, errors, executed.execution

    return run


async def test_the_error_falls_with_each_kind_of_mitigation_and_most_with_both(run, ideal):
    asked = {
        "plain": None,
        "readout": Mitigation(readout=READOUT),
        "zne": Mitigation(zne=ZNE),
        "both": Mitigation(readout=READOUT, zne=ZNE),
    }
    error = {}
    for name, mitigation in asked.items():
        values, _, _ = await run(mitigation, batch_id=name)
        error[name] = float(np.abs(values - ideal).mean())
    assert error["readout"] < 0.75 * error["plain"]
    assert error["zne"] < 0.75 * error["plain"]
    assert error["both"] < 0.35 * error["plain"]


async def test_the_execution_says_what_was_done_and_by_which_calibration(run):
    _, _, execution = await run(Mitigation(readout=READOUT, zne=ZNE))
    said = execution.mitigation
    assert said["applied"] is True
    assert (said["readout"], said["readout_shots"]) == ("mthree", SHOTS)
    assert said["readout_calibration"] == execution.calibration_id
    assert (said["zne_scale_factors"], said["zne_extrapolation"]) == ("1 3 5", "exponential")
    assert execution.provider_metadata["circuits"] == 6


async def test_reading_is_measured_once_for_each_calibration(house, run):
    mitigation = Mitigation(readout=Readout(shots=500))
    first, _, told = await run(mitigation, "b1", shots=500)
    again, _, silent = await run(mitigation, "b2", shots=500)
    np.testing.assert_array_equal(first, again)
    measured = {batch_id for _, batch_id in house.records.kept} - {"b1", "b2"}
    assert measured == {told.mitigation["readout_batch"]}
    assert "readout_batch" not in silent.mitigation
    # A gateway that has just started reads it from the journal.
    house.gateway = replace(house.gateway, mitigating=replace(house.gateway.mitigating, _known=Recent(4)))
    third, _, _ = await run(mitigation, "b3", shots=500)
    np.testing.assert_array_equal(first, third)
    assert {batch_id for _, batch_id in house.records.kept} == measured | {"b1", "b2", "b3"}


async def test_nobody_watches_the_gateways_own_batches(house, run):
    await run(Mitigation(readout=Readout(shots=500)), shots=500)
    assert house.said.messages == []


async def test_a_target_without_noise_runs_the_work_as_it_is(run, ideal):
    values, errors, execution = await run(Mitigation(readout=READOUT, zne=ZNE), target="qiskit:aer")
    assert (np.abs(values - ideal) <= 5 * errors + 1e-9).all()
    assert execution.mitigation == {"applied": False, "why": "the target has no noise"}
    assert execution.provider_metadata["circuits"] == 2


async def test_counts_are_corrected_and_keep_their_shots(house, make):
    mitigation = Mitigation(readout=READOUT)
    ones = []
    for batch_id, asked in (("plain", None), ("read", mitigation)):
        batch = make.batch(
            FLIP, [make.slice("a", np.zeros((1, 0)))], target="qiskit:fake_manila", shots=SHOTS, batch_id=batch_id
        )
        executed = await house.gateway.run(msgspec.structs.replace(batch, mitigation=asked), None)
        table = executed.results[0].counts
        (counts,) = unpack(PackedCounts.from_bytes(table.data.inline, rows=table.rows, bits=table.bits))
        assert sum(counts.values()) == SHOTS
        ones.append(counts["01"])
    assert SHOTS - ones[1] < 0.2 * (SHOTS - ones[0])


async def test_what_ran_is_not_lost_when_reading_cannot_be_measured(house, run, monkeypatch):
    plain, _, _ = await run(None, "plain", shots=500)

    async def refused(*_):
        raise Permanent("spending-limit", "no more")

    monkeypatch.setattr(type(house.gateway), "_on", refused)
    values, _, execution = await run(Mitigation(readout=READOUT), shots=500)
    np.testing.assert_array_equal(values, plain)
    assert execution.mitigation["readout_applied"] is False
    assert execution.mitigation["readout_why"] == "spending-limit"
