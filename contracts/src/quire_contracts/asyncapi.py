"""One AsyncAPI 3.0 document of the whole house, from the registry, the topology and the flow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any, Final

from quire_contracts import query
from quire_contracts.control import Progress
from quire_contracts.document import JobDocument
from quire_contracts.flow import QUERIES, SENDERS, UPSTREAM, heard_upstream, receivers
from quire_contracts.registry import REGISTRY, Entry, progress_subject
from quire_contracts.result import JobResult
from quire_contracts.schema import Schema, components
from quire_contracts.topology import STREAM, Consumer

_SCHEMAS: Final = "#/components/schemas/"
_TENANT: Final = {"description": "Who owns the work: 1 to 40 of a-z, 0-9 and -; `shared` for what tenants share."}
_KEY: Final = {
    "description": "The job's id, or the batch's: 1 to 64 of A-Z, a-z, 0-9, - and _. A publisher chooses its own "
    "job's id; the same id again is the same job."
}


def asyncapi() -> Schema:
    """The document as plain data: channels by subject template, operations by service, messages, schemas.

    Deterministic, and complete in itself: every `$ref` points into it.
    """
    messages = {_name(entry.message): _message(entry) for entry in REGISTRY}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Quire",
            "version": version("quire-contracts"),
            "description": (
                "A hybrid quantum-classical orchestrator on NATS JetStream. Messages are CloudEvents 1.0 in binary "
                "mode: attributes in `ce-` headers, the body is JSON (msgpack where `ce-datacontenttype` names it). "
                "Within a version of a message only fields with defaults are added."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": {"host": "127.0.0.1:4222", "protocol": "nats", "description": "NATS with JetStream."}},
        "channels": {**{_channel(entry): _channel_of(entry) for entry in REGISTRY}, **_side_channels()},
        "operations": dict(sorted([*_operations(), *_side_operations()])),
        "components": {
            "messages": messages | _side_messages(),
            "messageTraits": {"CloudEvent": _cloud_event()},
            "parameters": {"tenant": _TENANT, "key": _KEY},
            "schemas": _schemas(),
        },
    }


def _channel(entry: Entry) -> str:
    return f"{entry.name}.v{entry.version}"


def _channel_of(entry: Entry) -> Schema:
    name = _name(entry.message)
    return {
        "address": entry.template.replace("{tenant}", "shared") if entry.tenant is None else entry.template,
        "title": entry.name,
        "summary": _summary(entry.message),
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": _parameters(entry),
        "bindings": {"nats": {}},
        "x-jetstream": {"stream": STREAM.name},
    }


def _parameters(entry: Entry) -> Schema:
    names = ("key",) if entry.tenant is None else ("tenant", "key")
    return {name: {"$ref": f"#/components/parameters/{name}"} for name in names}


def _message(entry: Entry) -> Schema:
    payload = {"$ref": f"{_SCHEMAS}JobDocument" if entry.raw else _SCHEMAS + _name(entry.message)}
    return {
        "name": entry.type,
        "title": _name(entry.message),
        "summary": _summary(entry.message),
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/CloudEvent"}],
        "payload": payload,
    }


def _cloud_event() -> Schema:
    """The headers of every message: CloudEvents 1.0 over NATS in binary mode, and W3C Trace Context."""

    def text(description: str, **more: Any) -> Schema:
        return {"type": "string", "description": description} | more

    properties = {
        "ce-specversion": {"const": "1.0"},
        "ce-id": text("With the source, unique for each message; a repetition has the same.", maxLength=1024),
        "ce-source": text("Who said it, as in `/quire/control-plane`.", maxLength=1024),
        "ce-type": text("The message's name on the wire, as in `io.quire.job.submit.v1`."),
        "ce-time": text("When it was said, UTC; the broker's time where it is missing.", format="date-time"),
        "ce-subject": text("The key of the subject."),
        "ce-datacontenttype": text("`application/json` where it is missing."),
        "ce-correlationid": text("The run it belongs to: a job's id unless its publisher says otherwise."),
        "ce-causationid": text("The `ce-id` of the message that caused this one."),
        "Nats-Msg-Id": text("The same as `ce-id`, for the broker's duplicate window."),
        "traceparent": text("W3C Trace Context.", maxLength=55),
        "tracestate": text("W3C Trace Context.", maxLength=512),
    }
    required = ["ce-specversion", "ce-id", "ce-source", "ce-type"]
    return {"headers": {"type": "object", "properties": properties, "required": required}}


def _operations() -> Iterator[tuple[str, Schema]]:
    for entry in REGISTRY:
        for service in SENDERS[entry.message]:
            yield f"{service}.send.{_channel(entry)}", _operation("send", service, entry)
        for consumer in receivers(entry):
            yield f"{consumer.service}.receive.{_channel(entry)}", _received(consumer, entry)
    for entry in heard_upstream():
        yield f"{UPSTREAM}.receive.{_channel(entry)}", _operation("receive", UPSTREAM, entry)


def _operation(action: str, service: str, entry: Entry) -> Schema:
    channel = _channel(entry)
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "title": f"{service}: {entry.name}",
        "tags": [{"name": service}],
        "messages": [{"$ref": f"#/channels/{channel}/messages/{_name(entry.message)}"}],
    }


def _received(consumer: Consumer, entry: Entry) -> Schema:
    limits = {
        "stream": consumer.stream,
        "durable": consumer.durable,
        "ackWaitSeconds": consumer.ack_wait,
        "maxDeliver": consumer.max_deliver,
        "maxAckPending": consumer.max_ack_pending,
    }
    return _operation("receive", consumer.service, entry) | {
        "bindings": {"nats": {"queue": consumer.durable, "bindingVersion": "0.1.0"}},
        "x-jetstream": limits,
    }


def _side_channels() -> Schema:
    """What is not on the log: live progress, and questions with their answers, both core NATS."""
    both = {name: {"$ref": f"#/components/parameters/{name}"} for name in ("tenant", "key")}
    channels: Schema = {
        "job.progress": {
            "address": progress_subject("{tenant}", "{key}"),
            "title": "job.progress",
            "summary": "Live remarks on a job; not stored.",
            "messages": {"Progress": {"$ref": "#/components/messages/Progress"}},
            "parameters": both,
            "bindings": {"nats": {}},
        }
    }
    for service, name, question, answer in QUERIES:
        channels[f"{service}.{name}"] = {
            "address": f"quire.query.{service}.{name}",
            "title": f"{service}.{name}",
            "summary": f"Request and reply: {question}, answered by {answer}.",
            "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in (question, answer)},
            "bindings": {"nats": {}},
        }
    return channels


def _side_messages() -> Schema:
    types = [Progress, *(getattr(query, name) for _, _, *pair in QUERIES for name in pair)]
    return {
        _name(type_): {
            "name": _name(type_),
            "title": _name(type_),
            "summary": _summary(type_),
            "contentType": "application/json",
            "payload": {"$ref": _SCHEMAS + _name(type_)},
        }
        for type_ in types
    }


def _side_operations() -> Iterator[tuple[str, Schema]]:
    def operation(action: str, who: str, channel: str, messages: Iterable[str]) -> Schema:
        return {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            "title": f"{who}: {channel}",
            "tags": [{"name": who}],
            "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
        }

    for who in ("quantum-gateway", "gpu-simulation"):
        yield f"{who}.send.job.progress", operation("send", who, "job.progress", ["Progress"])
    for who in (UPSTREAM, "api"):
        yield f"{who}.receive.job.progress", operation("receive", who, "job.progress", ["Progress"])
    for service, name, question, answer in QUERIES:
        channel = f"{service}.{name}"
        reply = {
            "address": {"location": "$message.header#/reply"},
            "messages": [{"$ref": f"#/channels/{channel}/messages/{answer}"}],
        }
        yield f"{service}.receive.{channel}", operation("receive", service, channel, [question]) | {"reply": reply}
        who = UPSTREAM if service == "api" else "api"
        yield f"{who}.send.{channel}", operation("send", who, channel, [question]) | {"reply": reply}


def _schemas() -> Schema:
    """All schemas in the dialect that AsyncAPI 3.0 reads by default, a superset of JSON Schema draft 7."""
    roots = [entry.message for entry in REGISTRY if not entry.raw]
    asked = [getattr(query, name) for _, _, *pair in QUERIES for name in pair]
    (document, result, *_), found = components([JobDocument, JobResult, *roots, Progress, *asked], _SCHEMAS)
    named = {"JobDocument": document, "JobResult": result} | found
    return {name: _draft_7(named[name]) for name in sorted(named)}


def _draft_7(schema: Any) -> Any:
    """`prefixItems` is younger than draft 7, which says the same with an array of `items`."""
    if isinstance(schema, list):
        return [_draft_7(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _draft_7(value) for key, value in schema.items() if key not in {"prefixItems", "items"}}
    if "prefixItems" in schema:
        result |= {"items": _draft_7(schema["prefixItems"]), "additionalItems": schema.get("items", True)}
    elif "items" in schema:
        result["items"] = _draft_7(schema["items"])
    return result


def _summary(type_: type) -> str:
    """The first sentence of a class's docstring."""
    return re.split(r"(?<=\.)\s", (type_.__doc__ or "").strip(), maxsplit=1)[0]


def _name(type_: type) -> str:
    return type_.__name__
