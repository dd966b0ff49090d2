"""A job's life as a stream: parsing server-sent events (WHATWG HTML, section 9.2.6) without a connection in sight."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from quire_contracts.registry import TERMINAL_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a job.

    type: as on the bus (`io.quire.loop.advanced.v1`), or `progress` for a live remark that is not stored.
    data: the event's JSON.
    id: the place in the log, to resume after it; empty for remarks.
    """

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    id: str = ""

    @property
    def is_last(self) -> bool:
        """Whether the job's life ends with this event."""
        return self.type in TERMINAL_EVENTS


def parse_events(lines: Iterable[str]) -> Iterator[Event]:
    """Events out of the lines of an event stream (line ends removed), in order.

    Comments and events whose data is not a JSON object are passed over; an event that is cut off at the end is not
    given, so that resuming after the last id loses nothing.
    """
    type_, id_, data = "message", "", list[str]()
    for line in lines:
        if not line:
            event = _event(type_, id_, "\n".join(data))
            if event is not None:
                yield event
            type_, id_, data = "message", "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                type_ = value
            case "id":
                id_ = value
            case "data":
                data.append(value)
            case _:  # a comment, a retry hint, or a field that nobody knows
                pass


def _event(type_: str, id_: str, text: str) -> Event | None:
    try:
        data = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return Event(type_, data, id_) if isinstance(data, dict) else None
