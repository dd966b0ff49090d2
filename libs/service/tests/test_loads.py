"""What is known of loads: the freshest report of each replica, summed over them, and no older than it may be."""

from __future__ import annotations

import msgspec

from quire_contracts.load import LOAD_KEYS, LoadReport, TargetLoad
from quire_service.loads import FRESH_SECONDS, Loads, loads_of
from quire_testing import eventually


def load(target, *, waiting=1, wait=1.0, errors=0.0):
    return TargetLoad(
        target=target, waiting=waiting, in_flight=1, wait_seconds=wait, batch_seconds=0.1, error_rate=errors
    )


def body(clock, instance, *loads):
    return msgspec.json.encode(LoadReport(instance=instance, at=clock.now(), targets=loads))


def test_replicas_add_up_and_the_worst_figures_count(clock):
    loads = Loads(clock)
    loads.heard("", body(clock, "a", load("simulation", waiting=3, wait=2.0), load("qiskit:aer")))
    loads.heard("", body(clock, "b", load("simulation", waiting=4, wait=7.0, errors=0.5)))
    found = loads.current()
    assert found.keys() == {"simulation", "qiskit:aer"}
    both = found["simulation"]
    assert (both.waiting, both.in_flight, both.wait_seconds, both.error_rate) == (7, 2, 7.0, 0.5)


def test_a_replicas_last_report_replaces_what_it_said_before(clock):
    loads = Loads(clock)
    loads.heard("", body(clock, "a", load("simulation")))
    loads.heard("", body(clock, "a", load("qiskit:aer")))
    assert loads.current().keys() == {"qiskit:aer"}
    loads.heard("", body(clock, "a"))
    assert not loads.current()


def test_a_report_is_forgotten_when_it_is_stale(clock):
    loads = Loads(clock)
    loads.heard("", body(clock, "a", load("simulation")))
    clock.advance(FRESH_SECONDS / 2)
    loads.heard("", body(clock, "b", load("qiskit:aer")))
    clock.advance(FRESH_SECONDS / 2)
    assert loads.current().keys() == {"qiskit:aer"}
    clock.advance(FRESH_SECONDS / 2)
    assert not loads.current()


def test_what_is_no_report_is_left(clock):
    loads = Loads(clock)
    loads.heard("", body(clock, "a", load("simulation")))
    for wrong in (b"", b"\xff", b"{}", b'{"instance": 1}'):
        loads.heard("", wrong)
    assert loads.current().keys() == {"simulation"}


async def test_reports_are_heard_as_they_are_put_into_the_bucket(bus, clock):
    bucket = bus.bucket("backends", LoadReport)
    async with loads_of(bus, clock) as loads:
        await bucket.put(f"{LOAD_KEYS}a", LoadReport(instance="a", at=clock.now(), targets=(load("simulation"),)))

        async def known():
            return loads.current().keys() == {"simulation"}

        await eventually(known)
    await bucket.put(f"{LOAD_KEYS}a", LoadReport(instance="a", at=clock.now(), targets=()))
    await bus.check()
    assert loads.current().keys() == {"simulation"}, "who has left hears no more"
