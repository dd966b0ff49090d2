"""The contracts over HTTP: the AsyncAPI document and the JSON Schemas that come with `quire_contracts`."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from quire_api.problems import not_found
from quire_contracts.document import JobDocument

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}\.json")
_DOCUMENT: Final = "job-document.json"
_SCHEMA_TYPE: Final = "application/schema+json"


class Schemas(msgspec.Struct, frozen=True):
    """The paths of the schemas."""

    schemas: tuple[str, ...]


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def show_openapi(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The OpenAPI document of this interface."""
    return Response(request.app.openapi_schema.to_schema(), media_type="application/vnd.oai.openapi+json")


@get("/asyncapi.json", sync_to_thread=True)
def show_asyncapi() -> Response[bytes]:
    """Show the AsyncAPI document: the same house, as seen from the bus."""
    found = _folder() / "asyncapi.json"
    if not found.is_file():
        raise not_found("AsyncAPI document in this installation")
    return Response(found.read_bytes(), media_type="application/vnd.aai.asyncapi+json")


@get("/schemas", sync_to_thread=True)
def list_schemas() -> Schemas:
    """List the JSON Schemas of job documents and messages."""
    folder = _folder()
    names = {each.name for each in folder.iterdir() if _NAME.fullmatch(each.name)} if folder.is_dir() else set()
    return Schemas(tuple(f"/schemas/{name}" for name in sorted(names - {"asyncapi.json"} | {_DOCUMENT})))


@get("/schemas/{name:str}", sync_to_thread=True)
def show_schema(name: FromPath[str]) -> Response[bytes]:
    """Show one JSON Schema."""
    found = _folder() / name
    if _NAME.fullmatch(name) and found.is_file():
        return Response(found.read_bytes(), media_type=_SCHEMA_TYPE)
    if name == _DOCUMENT:
        return Response(msgspec.json.encode(msgspec.json.schema(JobDocument)), media_type=_SCHEMA_TYPE)
    raise not_found(f"schema {name[:100]}", "GET /schemas lists them.")


def _folder() -> Traversable:
    return files("quire_contracts") / "schemas"


ROUTES = (show_openapi, show_asyncapi, list_schemas, show_schema)
