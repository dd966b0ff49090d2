"""What the HTTP interface says of itself: the OpenAPI document, and a page that needs nothing from outside."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody

from quire_api.problems import MEDIA_TYPE, ProblemDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litestar import Request

_REASONS: Final = {
    400: "A parameter is not as it should be; `problems` says which.",
    404: "Nothing is known of it.",
    409: "It is in the way of what is there.",
    410: "The content was there and is gone.",
    413: "The body has more than 1 MiB.",
    415: "The media type is neither of the two.",
    422: "The document is not valid; `problems` says where and why.",
    429: "This client writes too often, or the house is too far behind; `Retry-After` says when to come again.",
    503: "A part of the house does not answer now.",
}
_EXAMPLE: Final = {
    "kind": "sample",
    "program": 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;',
    "shots": 1000,
}
_ELSEWHERE: Final = (
    '<p>For machines: <a href="/openapi.json">openapi.json</a>, <a href="/asyncapi.json">asyncapi.json</a> (the house '
    'as seen from the bus), <a href="/schemas">schemas</a>. Errors are problem documents (RFC 9457).</p>'
)
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "code{background:#f3f3f3;padding:.1em .3em;border-radius:.2em}h2{margin:2rem 0 .2rem;font-size:1.05rem}"
    "h2 b{display:inline-block;min-width:4.5em;color:#06c}td{padding:.1rem 1rem .1rem 0;vertical-align:top}"
)


@dataclass
class SubmitOperation(Operation):
    """The submission's body, which the route reads itself, so that a refusal can name every problem at once."""

    def __post_init__(self) -> None:
        """Describe the body; the framework found none in the route's signature."""
        self.request_body = RequestBody(
            content={
                "application/json": OpenAPIMediaType(schema=Reference("/schemas/job-document.json"), example=_EXAMPLE),
                "application/cloudevents+json": OpenAPIMediaType(),
            },
            description="A job document, bare or as the data of a CloudEvent of type io.quire.job.submit.v1.",
            required=True,
        )


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """The refusals of a route, as problem documents."""
    return {
        status: ResponseSpec(
            ProblemDocument, generate_examples=False, description=_REASONS[status], media_type=MEDIA_TYPE
        )
        for status in statuses
    }


def config(version: str) -> OpenAPIConfig:
    """The OpenAPI document's frame; the page is at /docs."""
    return OpenAPIConfig(
        title="Quire",
        version=version,
        description="Submit hybrid quantum-classical jobs, follow them, and read their answers.",
        path="/docs",
        render_plugins=[Page(path="/")],
        use_handler_docstrings=True,
    )


class Page(OpenAPIRenderPlugin):
    """The interface as one page of plain HTML: no script, nothing fetched."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - the framework's signature
        """The page."""
        info = openapi_schema["info"]
        title = f"{escape(info['title'])} {escape(info['version'])}"
        parts = [
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>",
            f"<h1>{title}</h1><p>{escape(info['description'])}</p>",
            _ELSEWHERE,
        ]
        for path, item in openapi_schema["paths"].items():
            for method, operation in item.items():
                parts += _operation(method, path, operation)
        return "".join(parts).encode()


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h2><b>{escape(method.upper())}</b> <code>{escape(path)}</code></h2>"
    yield f"<p>{escape(operation.get('description') or operation.get('summary') or '')}</p><table>"
    for parameter in operation.get("parameters", ()):
        yield f"<tr><td><code>{escape(parameter['name'])}</code><td>{escape(parameter['in'])}"
        yield f"<td>{escape(parameter.get('description') or '')}"
    for status, response in operation.get("responses", {}).items():
        yield f"<tr><td><code>{escape(status)}</code><td>answer<td>{escape(response.get('description') or '')}"
    yield "</table>"
