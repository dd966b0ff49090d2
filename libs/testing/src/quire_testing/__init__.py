"""For tests only: a real broker, a manual clock, waiting without sleeping, probes, spans, and an OTLP sink.

The pytest plugin `quire_testing.plugin` is found by its entry point; every member's tests have its fixtures:

nats_server     a fresh `NatsServer` with JetStream, for this test alone
bus_settings    `bus_settings("batching")` gives the `BusSettings` of a service on that broker
provisioned     the broker with everything in the topology made
make_bus        `await make_bus("batching")` gives a connected `Bus` on the provisioned broker, closed after the test
bus             a connected `Bus` of a service called `test`
probe           `await probe("quire.evt.>")` gives a `Probe` that records what is stored on those subjects
clock           a `ManualClock`
spans           a `Spans`: an OpenTelemetry tracer whose finished spans can be read
otlp_sink       a running `Sink` with its addresses
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quire_testing.clock import ManualClock
    from quire_testing.probe import Probe, Recorded
    from quire_testing.spans import Spans
    from quire_testing.waiting import eventually

__all__ = ["ManualClock", "Probe", "Recorded", "Spans", "eventually"]

_HOMES = {"ManualClock": "clock", "Probe": "probe", "Recorded": "probe", "Spans": "spans", "eventually": "waiting"}


def __getattr__(name: str) -> Any:
    """Import on first use: the OTLP sink runs as `python -m quire_testing.otlp_sink` without the bus."""
    from importlib import import_module  # noqa: PLC0415

    if name not in _HOMES:
        raise AttributeError(name)
    value = getattr(import_module(f"quire_testing.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
