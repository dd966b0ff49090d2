"""JSON Schemas (2020-12) of the messages, of the job document and of its result, from the types themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import inspect as types

from quire_contracts.document import JobDocument
from quire_contracts.registry import Entry
from quire_contracts.result import JobResult

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
BASE: Final = "https://quire.dev/schemas"
"""Where the schemas' ids begin; an id names a schema, nothing is fetched from it."""

_REF: Final = "#/$defs/"


def components(roots: Sequence[Any], prefix: str = _REF) -> tuple[list[Schema], dict[str, Schema]]:
    """The schemas of some types, and those of every struct they are made of, by class name in alphabetical order.

    Against what msgspec generates: tagged unions are `oneOf` without OpenAPI's `discriminator`, which is no word of
    JSON Schema and another one in AsyncAPI; times say their format; patterns end in `$`; texts are not indented.
    """
    schemas, found = msgspec.json.schema_components(roots, schema_hook=_anything, ref_template=prefix + "{name}")
    named = {struct.cls.__name__: struct for struct in _structs(roots)}
    for name, schema in found.items():
        _mark_times(schema, named[name])
    cleaned = {name: _clean(found[name]) for name in sorted(found)}
    return [_clean(schema) for schema in schemas], cleaned


def message_schema(entry: Entry) -> Schema:
    """The schema of a message's body as one document. A submission's body is the job document."""
    root: Any = JobDocument if entry.raw else entry.message
    doc = inspect.cleandoc(entry.message.__doc__ or "")
    return _document(root, file_name(entry), entry.message.__name__, doc)


def document_schema() -> Schema:
    """The schema of the job document, the same on the bus, over HTTP and in files."""
    text = "What a team asks for. Unknown fields are refused; only `kind` and the problem are required."
    return _document(JobDocument, "job-document.json", "JobDocument", text)


def result_schema() -> Schema:
    """The schema of a job's result, as `JobCompleted` carries it or as its `result_ref` names it."""
    return _document(JobResult, "job-result.json", "JobResult", "A job's answer, by the kind of the job.")


def file_name(entry: Entry) -> str:
    """The file of a message's schema, as in `job.submit.v1.json`."""
    return f"{entry.name}.v{entry.version}.json"


def references(schema: Any) -> Iterator[str]:
    """Every `$ref` in a schema."""
    for key, value in _items(schema):
        if key == "$ref" and isinstance(value, str):
            yield value
        else:
            yield from references(value)


def _document(root: Any, name: str, title: str, description: str) -> Schema:
    """One self-contained schema: what the root refers to stands in its `$defs`, the root itself at the top."""
    (schema,), defs = components([root])
    if schema.keys() == {"$ref"}:
        schema = defs.pop(schema["$ref"].removeprefix(_REF))
    head = {"$schema": DIALECT, "$id": f"{BASE}/{name}", "title": title, "description": description}
    return head | {key: value for key, value in schema.items() if key not in head} | ({"$defs": defs} if defs else {})


def _anything(type_: type) -> Schema:
    if type_ is not object:
        message = f"JSON Schema has no word for {type_}"
        raise TypeError(message)
    return {"description": "Any JSON value."}


def _clean(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_clean(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    cleaned = {key: _clean(value) for key, value in schema.items() if key != "discriminator"}
    if "discriminator" in schema:
        cleaned = {("oneOf" if key == "anyOf" else key): value for key, value in cleaned.items()}
    if isinstance(cleaned.get("pattern"), str):
        cleaned["pattern"] = cleaned["pattern"].replace(r"\Z", "$")
    if isinstance(cleaned.get("description"), str):
        cleaned["description"] = inspect.cleandoc(cleaned["description"])
    return cleaned


def _mark_times(schema: Schema, struct: types.StructType) -> None:
    """Give a struct's time fields their format; they are plain, or plain or nothing."""
    for field in struct.fields:
        options = field.type.types if isinstance(field.type, types.UnionType) else (field.type,)
        if any(isinstance(option, types.DateTimeType) for option in options):
            place = schema["properties"][field.encode_name]
            for branch in place.get("anyOf", [place]):
                if branch.get("type") == "string":
                    branch["format"] = "date-time"


def _structs(roots: Iterable[Any]) -> list[types.StructType]:
    """Every struct that the types are made of, each once."""
    found: dict[type, types.StructType] = {}
    pending: list[Any] = [types.type_info(root) for root in roots]
    while pending:
        info = pending.pop()
        if isinstance(info, types.StructType):
            if info.cls in found:
                continue
            found[info.cls] = info
        pending += inner(info)
    return list(found.values())


def inner(info: types.Type) -> list[types.Type]:
    """The types directly inside a type: of fields, items, keys and values, and branches."""
    match info:
        case types.StructType(fields=fields):
            return [field.type for field in fields]
        case types.UnionType(types=branches):
            return list(branches)
        case types.Metadata(type=inside):
            return [inside]
        case types.DictType(key_type=key, value_type=value):
            return [key, value]
        case types.TupleType(item_types=items):
            return list(items)
        case types.VarTupleType(item_type=item) | types.ListType(item_type=item) | types.SetType(item_type=item):
            return [item]
        case _:
            return []


def _items(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        yield from schema.items()
    elif isinstance(schema, list):
        yield from (("", item) for item in schema)
