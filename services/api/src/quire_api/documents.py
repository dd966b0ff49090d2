"""The contracts over HTTP: the AsyncAPI document and the JSON Schemas, as `quire_contracts` generates them."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from quire_api.problems import not_found
from quire_contracts.generate import schema_files

_ASYNCAPI: Final = "asyncapi.json"
_files: Final = cache(schema_files)


class Schemas(msgspec.Struct, frozen=True):
    """The paths of the schemas."""

    schemas: tuple[str, ...]


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def show_openapi(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The OpenAPI document of this interface."""
    return Response(request.app.openapi_schema.to_schema(), media_type="application/vnd.oai.openapi+json")


@get("/asyncapi.json", sync_to_thread=True)
def show_asyncapi() -> Response[str]:
    """Show the AsyncAPI document: the same house, as seen from the bus."""
    return Response(_files()[_ASYNCAPI], media_type="application/vnd.aai.asyncapi+json")


@get("/schemas", sync_to_thread=True)
def list_schemas() -> Schemas:
    """List the JSON Schemas of job documents, results and messages."""
    return Schemas(tuple(f"/schemas/{name}" for name in sorted(_files()) if name != _ASYNCAPI))


@get("/schemas/{name:str}", sync_to_thread=True)
def show_schema(name: FromPath[str]) -> Response[str]:
    """Show one JSON Schema."""
    found = _files().get(name)
    if found is None or name == _ASYNCAPI:
        raise not_found(f"schema {name[:100]}", "GET /schemas lists them.")
    return Response(found, media_type="application/schema+json")


ROUTES = (show_openapi, show_asyncapi, list_schemas, show_schema)
