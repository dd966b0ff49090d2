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

    name: in short, as in `loop.advanced`, or `progress` for a live remark that is not stored.
    data: what the message says, as `quire_contracts` describes it.
    id: the place on the log, to resume after it; empty for remarks.
    type: the CloudEvents type, as in `io.quire.loop.advanced.v1`; empty for remarks.
    """

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    type: str = ""

    @property
    def is_last(self) -> bool:
        """Whether the job's life ends with this event."""
        return self.type in TERMINAL_EVENTS


def parse_events(lines: Iterable[str]) -> Iterator[Event]:
    """Events out of the lines of an event stream (line ends removed), in order.

    Comments and events whose data is not a JSON object are passed over; an event that is cut off at the end is not
    given, so that resuming after the last id loses nothing.
    """
    event_name, id_, data = "message", "", list[str]()
    for line in lines:
        if not line:
            event = _event(event_name, id_, "\n".join(data))
            if event is not None:
                yield event
            event_name, id_, data = "message", "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                event_name = value
            case "id":
                id_ = value
            case "data":
                data.append(value)
            case _:  # a comment, a retry hint, or a field that nobody knows
                pass


def _event(name: str, id_: str, text: str) -> Event | None:
    """A remark is its own data; a stored event is a CloudEvent in structured form around its data."""
    try:
        content = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    if not isinstance(content, dict):
        return None
    if "specversion" not in content:
        return Event(name, content, id_)
    data = content.get("data")
    return Event(name, data if isinstance(data, dict) else {}, id_, str(content.get("type", "")))
