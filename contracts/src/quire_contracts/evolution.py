"""The law of evolution: within a version only fields with defaults are added; what breaks it is named by its path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from quire_contracts.document import JobDocument
from quire_contracts.record import JobRecord
from quire_contracts.registry import REGISTRY
from quire_contracts.result import JobResult
from quire_contracts.schema import Schema, components

_FLOORS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_CEILINGS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAME: Final = ("type", "$ref", "format", "contentEncoding", "const")
_INSIDE: Final = ("additionalProperties", "items", "propertyNames")
_WORDS: Final = frozenset({"title", "description"})


class LawBroken(Exception):
    """Today's shapes break the law of evolution; the message has a line for each breach."""


def shapes() -> Schema:
    """Today's shape of everything that is stored or sent: schemas without words, by type and by struct name."""
    stored: dict[str, Any] = {"job-document": JobDocument, "job-result": JobResult, "job-record": JobRecord}
    sent = {entry.type: entry.message for entry in REGISTRY if not entry.raw}
    roots = stored | sent
    schemas, structs = components(list(roots.values()))
    return {"messages": _silent(dict(zip(roots, schemas, strict=True))), "$defs": _silent(structs)}


def breaches(frozen: Schema, today: Schema) -> list[str]:
    """What of a frozen shape today's no longer holds: an empty list when everything then written is read now.

    Breaches are: a message, struct or field removed, a field of another type, made required or with another default,
    an enumeration or a union with fewer members, a limit made tighter, a pattern changed, unknown fields refused. A
    struct that carries a tag is a union of one: it may become a union of several that are told apart by theirs.
    """
    return [
        breach
        for part in ("messages", "$defs")
        for name, before in frozen[part].items()
        for breach in _compare(before, today[part].get(name), name)
    ]


def merged(frozen: Schema, today: Schema) -> Schema:
    """The frozen shape with what is new today, so that it is guarded from now on.

    Raises:
        LawBroken: if there are breaches.
    """
    found = breaches(frozen, today)
    if found:
        raise LawBroken("\n".join(found))
    return today


def _compare(before: Any, after: Any, path: str) -> Iterator[str]:
    if after is None:
        yield f"{path}: removed"
    elif not isinstance(before, dict) or not isinstance(after, dict):
        if after is not True and before is not False:  # True takes anything, False nothing
            yield f"{path}: {before} became {after}"
    elif "oneOf" in after and "$ref" in before:  # `oneOf` is written for tagged structs alone
        yield from _compare_branches({"oneOf": [before]}, after, path)
    else:
        yield from _compare_values(before, after, path)
        yield from _compare_fields(before, after, path)
        yield from _compare_branches(before, after, path)
        for word in _INSIDE:
            if word in before or word in after:
                yield from _compare(before.get(word, True), after.get(word, True), f"{path}/{word}")
        for index, (item, now) in enumerate(
            zip(before.get("prefixItems", ()), after.get("prefixItems", ()), strict=False)
        ):
            yield from _compare(item, now, f"{path}/{index}")


def _compare_values(before: Schema, after: Schema, path: str) -> Iterator[str]:
    for word in _SAME:
        if before.get(word) != after.get(word):
            yield f"{path}: {word} was {before.get(word)}, is {after.get(word)}"
    for word in _FLOORS:
        if word in after and after[word] > before.get(word, float("-inf")):
            yield f"{path}: {word} was {before.get(word, 'not there')}, is {after[word]}"
    for word in _CEILINGS:
        if word in after and after[word] < before.get(word, float("inf")):
            yield f"{path}: {word} was {before.get(word, 'not there')}, is {after[word]}"
    if "pattern" in after and after["pattern"] != before.get("pattern"):
        yield f"{path}: pattern was {before.get('pattern', 'not there')}, is {after['pattern']}"
    if "default" in before and before["default"] != after.get("default", before):
        yield f"{path}: default was {before['default']!r}, is {after.get('default', 'not there')!r}"
    gone = [value for value in before.get("enum", ()) if value not in after.get("enum", ())]
    if gone or ("enum" in after and "enum" not in before):
        yield f"{path}: no longer allowed: {gone or 'anything but ' + str(after['enum'])}"


def _compare_fields(before: Schema, after: Schema, path: str) -> Iterator[str]:
    now = after.get("properties", {})
    for name, field in before.get("properties", {}).items():
        yield from _compare(field, now.get(name), f"{path}.{name}")
    for name in after.get("required", ()):
        if name not in before.get("required", ()):
            yield f"{path}.{name}: is required now"


def _compare_branches(before: Schema, after: Schema, path: str) -> Iterator[str]:
    """Each branch of a union must still be there; branches are told apart by what they are, not by their place."""
    for word in ("anyOf", "oneOf"):
        branches = after.get(word, ())
        for branch in before.get(word, ()):
            if not any(not list(_compare(branch, now, path)) for now in branches):
                yield f"{path}: no longer one of its types: {branch}"
        if branches and word not in before:
            yield f"{path}: is one of several types now"


def _silent(schema: Any) -> Any:
    """The schema without titles and descriptions; a field may be called either, so properties are kept whole."""
    if isinstance(schema, list):
        return [_silent(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in _WORDS or not isinstance(value, str)}
    return {key: _silent(value) for key, value in kept.items()}
