"""What Amazon Braket says of a device, as facts: its size, its limits, its price, its hours and its calibration."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from quire_contracts.calibration import DeviceFigures
from quire_quantum_gateway.providers.port import Availability

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PROGRAM: Final = "braket.ir.openqasm.program"
_PROGRAM_SET: Final = "braket.ir.openqasm.program_set"
_DAYS: Final[dict[str, tuple[int, ...]]] = {
    "Everyday": (0, 1, 2, 3, 4, 5, 6),
    "Weekdays": (0, 1, 2, 3, 4),
    "Weekend": (5, 6),
    **{
        name: (day,)
        for day, name in enumerate(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"))
    },
}
_MINUTES: Final = {"minute": 1.0, "hour": 1 / 60}
_LEAST_SECONDS: Final = 3.0
"""Of a simulator's task, on the bill."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When a device runs tasks: from `opens` to `closes` in UTC, past midnight if that is earlier, on some weekdays."""

    days: tuple[int, ...]
    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class Sets:
    """What a device takes in one program set."""

    executables: int
    most_shots: int
    fewest_shots: int


@dataclass(frozen=True, slots=True)
class Device:
    """A device, as GetDevice answered.

    sets: None where it takes no program sets. price: US dollars for each `unit` (shot, task, minute or hour).
    """

    arn: str
    simulator: bool
    status: str
    programs: bool
    max_qubits: int
    fewest_shots: int
    most_shots: int
    sets: Sets | None
    price: float
    unit: str
    hours: tuple[Hours, ...]
    calibration_id: str
    queued: int | None
    figures: DeviceFigures = field(default_factory=DeviceFigures)


def read_device(answer: Mapping[str, Any]) -> Device:
    """GetDevice's answer as facts.

    Raises:
        LookupError, TypeError, ValueError: it is not what the schemas of device capabilities say.
    """
    found = json.loads(answer["deviceCapabilities"])
    service, actions = found["service"], found["action"]
    simulator = answer["deviceType"] == "SIMULATOR"
    fewest, most = service["shotsRange"]
    cost = service.get("deviceCost") or {}
    updated = (found.get("standardized") or {}).get("updatedAt") or service.get("updatedAt") or "unknown"
    return Device(
        arn=answer["deviceArn"],
        simulator=simulator,
        status=answer["deviceStatus"],
        programs=_PROGRAM in actions,
        max_qubits=int(found["paradigm"]["qubitCount"]),
        fewest_shots=max(1, int(fewest)),
        most_shots=int(most),
        sets=_sets(actions.get(_PROGRAM_SET)),
        price=float(cost.get("price", 0.0)),
        unit=str(cost.get("unit", "task")),
        hours=tuple(map(_hours, service["executionWindows"])),
        calibration_id="none" if simulator else str(updated)[:128],
        queued=_queued(answer.get("deviceQueueInfo") or ()),
        figures=_figures(found.get("standardized") or {}),
    )


def availability(device: Device, now: datetime) -> Availability:
    """Whether the device takes tasks. Outside of its hours it takes them too, and runs them when it opens.

    `until` is when the hours change next: an offline device is likeliest to come back when they begin.
    """
    if device.status == "RETIRED":
        return Availability(open=False, reason="the device is retired", retired=True)
    inside, change = _next_change(device.hours, now)
    if device.status != "ONLINE":
        change = change if not inside else None
        return Availability(open=False, until=change, reason=f"the device is {device.status.lower()}")
    return Availability(until=change, queued=device.queued, calibration_id=device.calibration_id)


def price(device: Device, tasks: int, shots: int, task_usd: float, seconds: float | None = None) -> float:
    """What tasks with so many shots in all cost, in US dollars.

    Args:
        device: its price list.
        tasks: how many.
        shots: of all of them together.
        task_usd: what a quantum computer's task costs besides its shots; the price list does not name it.
        seconds: how long they ran, all together, where time is paid. Before they ran a task counts as a minute: nobody
            can say better.
    """
    if device.unit == "shot":
        return (0.0 if device.simulator else tasks * task_usd) + shots * device.price
    if device.unit not in _MINUTES:
        return tasks * device.price
    minutes = float(tasks) if seconds is None else max(seconds, tasks * _LEAST_SECONDS) / 60
    return minutes * device.price * _MINUTES[device.unit]


def _sets(action: Mapping[str, Any] | None) -> Sets | None:
    if not action:
        return None
    found = Sets(
        executables=int(action["maximumExecutables"]),
        most_shots=int(action["maximumTotalShots"]),
        fewest_shots=int(action.get("minimumTotalShots") or 1),
    )
    return found if found.executables > 1 else None


def _figures(found: Mapping[str, Any]) -> DeviceFigures:
    """Medians of the properties that all gate-based devices state alike; a device may leave any of them out."""
    ones, twos = (found.get(name) or {} for name in ("oneQubitProperties", "twoQubitProperties"))
    pairs = [gate["fidelity"] for pair in twos.values() for gate in pair.get("twoQubitGateFidelity") or ()]
    reads = [
        each["fidelity"]
        for qubit in ones.values()
        for each in qubit.get("oneQubitFidelity") or ()
        if (each.get("fidelityType") or {}).get("name") == "READOUT"
    ]
    t1s = [qubit["T1"]["value"] for qubit in ones.values() if (qubit.get("T1") or {}).get("value")]
    return DeviceFigures(
        two_qubit_error=1 - median(pairs) if pairs else None,
        readout_error=1 - median(reads) if reads else None,
        t1_seconds=float(median(t1s)) if t1s else None,
    )


def _hours(window: Mapping[str, Any]) -> Hours:
    opens, closes = (time.fromisoformat(window[name]) for name in ("windowStartHour", "windowEndHour"))
    return Hours(_DAYS[window["executionDay"]], opens.replace(tzinfo=None), closes.replace(tzinfo=None))


def _queued(queues: Sequence[Mapping[str, Any]]) -> int | None:
    """Tasks that wait, of all priorities; the service writes many as `>4000`."""
    sizes = [
        int(str(each["queueSize"]).lstrip(">") or 0)
        for each in queues
        if each.get("queue") == "QUANTUM_TASKS_QUEUE" and str(each["queueSize"]).lstrip(">").isdigit()
    ]
    return sum(sizes) if sizes else None


def _next_change(hours: Sequence[Hours], now: datetime) -> tuple[bool, datetime | None]:
    """Whether `now` is inside of the hours, and when that changes; None if it does not within a week."""
    spans = sorted(span for each in hours for span in _spans(each, now))
    inside = any(opens <= now < closes for opens, closes in spans)
    if not inside:
        return False, min((opens for opens, _ in spans if opens > now), default=None)
    end = now
    for opens, closes in spans:
        if opens <= end < closes:
            end = closes
    return True, end if end < now + timedelta(days=7) else None


def _spans(hours: Hours, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The hours of the days around `now`. The last second of a day counts as its end."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for offset in range(-1, 9):
        day = midnight + timedelta(days=offset)
        if day.weekday() not in hours.days:
            continue
        opens, closes = (datetime.combine(day, each, now.tzinfo) for each in (hours.opens, hours.closes))
        if hours.closes >= time(23, 59, 59):
            closes = day + timedelta(days=1)
        elif hours.closes <= hours.opens:
            closes += timedelta(days=1)
        yield opens, closes
