"""A job document from wherever it is (an object, a file, standard input; JSON or YAML) to the bytes that travel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from quire.errors import InvalidDocumentError
from quire_contracts import limits
from quire_contracts.intake import DocumentError, parse_document
from quire_contracts.value import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from quire_contracts.document import JobDocument

STDIN = "-"


def as_json(document: Mapping[str, Any] | msgspec.Struct | bytes | str | PathLike[str]) -> bytes:
    """The document's JSON. Text and paths name a file, `-` is standard input; bytes are taken as they are.

    Raises:
        InvalidDocumentError: if there is no such file, or it is neither JSON nor YAML.
    """
    match document:
        case bytes():
            return document
        case str() | Path():
            return read(str(document))
        case _ if hasattr(document, "__fspath__"):
            return read(str(document.__fspath__()))
        case _:
            try:
                return msgspec.json.encode(document)
            except (TypeError, ValueError) as error:
                raise _invalid(f"the document is not made of JSON values: {error}") from error


def read(path: str) -> bytes:
    """The JSON of the document in a file; `-` reads standard input. What does not begin like JSON is read as YAML.

    Raises:
        InvalidDocumentError: as `as_json`.
    """
    try:
        text = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise _invalid(f"cannot read {path}: {error.strerror}") from error
    if len(text) > 2 * limits.DOCUMENT_BYTES:
        raise _invalid(f"{path} has {len(text)} bytes", limit=f"at most {limits.DOCUMENT_BYTES} bytes of JSON")
    if path.endswith(".json") or text.lstrip()[:1] in (b"{", b"["):
        return text
    return _from_yaml(text)


def checked(body: bytes) -> JobDocument:
    """The document, checked here as Quire will check it again: a mistake need not travel to be found.

    Raises:
        InvalidDocumentError: with every problem found.
    """
    try:
        return parse_document(body)
    except DocumentError as error:
        raise InvalidDocumentError("the job document is invalid", error.problems) from error


def continued(body: bytes, job: str) -> bytes:
    """The document whose loop goes on from an earlier job: `ID` for its best parameters, `ID:ROUND` for where it stood.

    Raises:
        InvalidDocumentError: the document is not an object, or the round is not a number.
    """
    earlier, _, round_ = job.partition(":")
    if round_ and not round_.isdecimal():
        raise _invalid(f"{round_!r} is not the number of a round; write ID or ID:ROUND")
    try:
        document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(f"the document is not a JSON object: {error}") from error
    asked = {"job": earlier} | ({"round": int(round_)} if round_ else {})
    return msgspec.json.encode(document | {"from": msgspec.Raw(msgspec.json.encode(asked))})


def _from_yaml(text: bytes) -> bytes:
    from quire.yaml_text import YamlError, load

    try:
        return msgspec.json.encode(load(text))
    except (YamlError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(f"the document is neither JSON nor YAML: {error}") from error


def _invalid(reason: str, limit: str | None = None) -> InvalidDocumentError:
    return InvalidDocumentError("the job document is invalid", (Problem(pointer="", reason=reason, limit=limit),))
