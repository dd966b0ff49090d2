"""The stretches of work for one job: each a span of its trace and an entry of its timings, run off the event loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import Span, Tracer

from quire_contracts.value import Timing
from quire_resilience.clock import Clock


class Stages:
    """The stages of one job, in the order in which they ended.

    A stage `parse` is the span `quire.stage.parse`; one that raises has its span marked and no timing.
    """

    def __init__(self, tracer: Tracer, clock: Clock) -> None:
        self._tracer = tracer
        self._clock = clock
        self._timings: list[Timing] = []

    @property
    def timings(self) -> tuple[Timing, ...]:
        """One entry for each stage that ended well."""
        return tuple(self._timings)

    def seconds(self, stage: str) -> float:
        """How long a stage took, 0 where there was none."""
        return sum(timing.seconds for timing in self._timings if timing.stage == stage)

    @contextmanager
    def stage(self, name: str) -> Iterator[Span]:
        """Time what is done inside; the span is for its attributes."""
        started_at, start = self._clock.now(), self._clock.monotonic()
        with self._tracer.start_as_current_span(f"quire.stage.{name}") as span:
            yield span
        seconds = self._clock.monotonic() - start
        self._timings.append(Timing(stage=name, resource="cpu", started_at=started_at, seconds=seconds))
