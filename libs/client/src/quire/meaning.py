"""What an assignment means, in words: a tour as its stops, a partition as its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_contracts.answers import Holdings, Parts, Routes, Subset, Tour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quire_contracts.answers import Answer

_ARROW = " → "


def words(answer: Answer, tags: Mapping[str, str]) -> str:
    """The answer for eyes, a line for each part or route.

    A node, city, place or asset i is called what the job's tag `node.i` says, else by its number.
    """
    match answer:
        case Parts(parts=parts, sums=sums):
            totals = [f" (sum {total:g})" for total in sums] or [""] * len(parts)
            return "\n".join(f"{_list(part, tags)}{total}" for part, total in zip(parts, totals, strict=True))
        case Subset(members=members):
            return _list(members, tags)
        case Tour(stops=stops):
            return _way((*stops, *stops[:1]), tags)
        case Routes(routes=routes, loads=loads, lengths=lengths):
            return "\n".join(
                f"{_way((0, *route, 0), tags)} (load {load:g}, distance {length:g})"
                for route, load, length in zip(routes, loads, lengths, strict=True)
            )
        case Holdings():
            figures = f"return {answer.expected_return:g}, variance {answer.variance:g}"
            return f"{_list(answer.assets, tags)} ({figures})"


def _name(index: int, tags: Mapping[str, str]) -> str:
    return tags.get(f"node.{index}", str(index))


def _list(members: Sequence[int], tags: Mapping[str, str]) -> str:
    return ", ".join(_name(index, tags) for index in members) or "none"


def _way(stops: Sequence[int], tags: Mapping[str, str]) -> str:
    return _ARROW.join(_name(index, tags) for index in stops)
