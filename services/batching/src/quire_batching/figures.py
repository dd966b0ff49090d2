"""What batching measures of itself, for operators: sizes, reasons and waits of batches, and the state of its queues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from quire_batching.house import House
from quire_batching.target_queue import TargetQueue
from quire_contracts.batch import ExecuteBatch, SimulateBatch


class Figures:
    """The instruments. Attributes are targets, classes and reasons: few, and never an id."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._batches = meter.create_counter("quire.batching.batches", "{batch}", "Batches sent")
        self._members = meter.create_histogram("quire.batching.batch.members", "{task}", "Tasks in a batch")
        self._rows = meter.create_histogram("quire.batching.batch.rows", "{parameter set}", "Parameter sets in a batch")
        self._wait = meter.create_histogram("quire.batching.wait", "s", "How long a batch's first task waited")

    def sent(self, commands: Sequence[ExecuteBatch | SimulateBatch], now: datetime) -> None:
        """Count batches that are on the log."""
        for command in commands:
            batch = command.batch
            about = {"quire.target": batch.target, "quire.priority": batch.priority}
            self._batches.add(1, {**about, "quire.batch.flush_reason": batch.flush_reason})
            self._members.record(len(batch.members), about)
            self._rows.record(sum(member.parameters.rows for member in batch.members), about)
            waited = (now - min(member.queued_at for member in batch.members)).total_seconds()
            self._wait.record(max(0.0, waited), about)

    def watch(self, queues: Mapping[str, TargetQueue[Any]], house: House) -> None:
        """Show the state of the queues, and how busy the house seems to them, whenever somebody reads."""

        def busy(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(house.utilisation)]

        self._meter.create_observable_gauge("quire.batching.house", [busy], "1", "How busy the services seem to be")

        def gauge(name: str, unit: str, words: str, value: Callable[[TargetQueue[Any]], float]) -> None:
            def read(_: CallbackOptions) -> Iterable[Observation]:
                return [Observation(value(queue), {"quire.target": target}) for target, queue in queues.items()]

            self._meter.create_observable_gauge(name, [read], unit, words)

        gauge("quire.batching.window", "s", "How long groups wait for company", lambda queue: queue.window)
        gauge("quire.batching.places", "{batch}", "Batches that may be under way", lambda queue: queue.places)
        gauge("quire.batching.depth", "{task}", "Tasks that wait", lambda queue: queue.depth.members)
        gauge("quire.batching.in_flight", "{batch}", "Batches under way", lambda queue: len(queue.flights))
        gauge("quire.batching.errors", "1", "Share of batches that failed", lambda queue: queue.service.errors)
