"""CloudEvents 1.0 attributes in NATS headers: percent-encoding on the way out, one spelling on the way in.

Source: CloudEvents 1.0.2, "HTTP protocol binding" 3.1.3.2 (the percent-encoding rule) and the NATS binding's binary
mode (attributes as `ce-` headers). NATS headers are case-preserving and compared as they are, so what a foreign client
spells `Ce-Id` or `Traceparent` is brought to lower case here, once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

from quire_bus.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE: Final = "content-type"
NONCE: Final = "quire-nonce"
MSG_ID: Final = "Nats-Msg-Id"
EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
TTL: Final = "Nats-TTL"

_PLAIN = re.compile(
    r"[!#$&-~]*", re.ASCII
)  # printable ASCII but for the space, the quotation mark and the percent sign
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_ATTRIBUTE_CHARACTERS = 1_024
LINE_BYTES: Final = len("NATS/1.0\r\n") + len("\r\n")
"""Of a header block without headers."""

_NO_BREAKS = {0x0D: None, 0x0A: None}
_PAIR_BYTES = len(": ") + len("\r\n")


def encoded(value: str) -> str:
    """`value` as a header value: what is not printable ASCII (and space, `"`, `%`) percent-encoded as UTF-8."""
    return value if _PLAIN.fullmatch(value) else quote(value, safe=_SAFE)


def decoded(name: str, value: str) -> str:
    """The attribute that the header `name` carries.

    Raises:
        DecodeError: if it is longer than 1,024 characters or its percent-encoding is not UTF-8.
    """
    if len(value) > _ATTRIBUTE_CHARACTERS:
        raise DecodeError(f"the header {name} is {len(value)} characters long", pointer=f"/headers/{name}")
    if "%" not in value:
        return value
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise DecodeError(f"the header {name} is not percent-encoded UTF-8", pointer=f"/headers/{name}") from None


def normalised(headers: Mapping[str, str] | None) -> dict[str, str]:
    """The headers under lower-case names, without surrounding space.

    Raises:
        DecodeError: if two spellings of one name carry different values: it is not ours to choose between them.
    """
    given = headers or {}
    result = {name.lower(): value.strip() for name, value in given.items()}
    if len(result) != len(given):
        for name, value in given.items():
            if result[name.lower()] != value.strip():
                key = name.lower()
                raise DecodeError(f"the header {key} is given twice with different values", pointer=f"/headers/{key}")
    return result


def lines(headers: Mapping[str, str]) -> bytes:
    """The headers as lines of a header block; line breaks inside a value are left out, for they would begin another."""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers):
        text = "".join([f"{name}: {value.translate(_NO_BREAKS)}\r\n" for name, value in headers.items()])
    return text.encode()


def block(*lines_: bytes) -> bytes:
    """A whole header block of `lines`."""
    return b"".join((b"NATS/1.0\r\n", *lines_, b"\r\n"))


def wire_size(headers: Mapping[str, str] | None, body: bytes) -> int:
    """Bytes that a message takes on the wire: the header block and the body, as the broker's limit counts them."""
    size = len(body)
    if headers:
        size += LINE_BYTES
        size += sum(len(name.encode()) + len(value.encode()) + _PAIR_BYTES for name, value in headers.items())
    return size
