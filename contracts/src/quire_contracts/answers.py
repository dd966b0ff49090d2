"""What an assignment of 0 and 1 means in the problem's own domain."""

from __future__ import annotations

from quire_contracts.value import Value


class Parts(Value, frozen=True, tag_field="type", tag="parts"):
    """The nodes, or the places of the numbers, on each side; `sums` are those of the numbers."""

    parts: tuple[tuple[int, ...], ...]
    sums: tuple[float, ...] = ()


class Subset(Value, frozen=True, tag_field="type", tag="subset"):
    """The nodes that were chosen."""

    members: tuple[int, ...]


class Tour(Value, frozen=True, tag_field="type", tag="tour"):
    """The cities in the order in which they are visited; the way leads back to the first."""

    stops: tuple[int, ...]


class Routes(Value, frozen=True, tag_field="type", tag="routes"):
    """For each vehicle that is used: its places in order, the depot left out, what it carries and how far it goes."""

    routes: tuple[tuple[int, ...], ...]
    loads: tuple[float, ...]
    lengths: tuple[float, ...]


class Holdings(Value, frozen=True, tag_field="type", tag="holdings"):
    """The assets that were chosen, the sum of their returns, and the variance of all of them together."""

    assets: tuple[int, ...]
    expected_return: float
    variance: float


Answer = Parts | Subset | Tour | Routes | Holdings
