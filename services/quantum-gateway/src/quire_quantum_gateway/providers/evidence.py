"""What an exception shows of an error, whoever raised it: names, code, status, text, and how long to wait.

Read by shape and not by type, so that no SDK is imported to understand another's error. The text is for matching rows
of a table only: it never leaves this layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_CODES: Final = (re.compile(r'"code":\s*"?(\d{4})\b'), re.compile(r"[Ee]rror code:?\s+(\d{4})\b"))
_STATUS: Final = re.compile(r"\b([45]\d\d) (?:Client|Server) Error\b")
_TEXT_CHARACTERS: Final = 4_000
_LONGEST_WAIT: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """names: the exception's class and its ancestors, nearest first, each with its module.

    code: the provider's own, empty if it gave none. status: of HTTP, None without an answer. text: in lower case.
    retry_after: seconds that the provider asked to wait.
    """

    names: tuple[str, ...]
    code: str = ""
    status: int | None = None
    text: str = ""
    retry_after: float | None = None


def evidence_of(error: BaseException) -> Evidence:
    """What an exception shows; never raises."""
    names = tuple(f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__)
    text = str(error)[:_TEXT_CHARACTERS]
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return _of_botocore(names, response)
    return Evidence(
        names,
        _code_in(text) or _code_in(_body(response)),
        _status(error, response) or _status_in(text),
        text.lower(),
        _seconds(getattr(response, "headers", None)),
    )


def evidence_in(text: str, code: str = "") -> Evidence:
    """What a provider's words for the end of a job show."""
    return Evidence((), code or _code_in(text), None, text[:_TEXT_CHARACTERS].lower())


def _of_botocore(names: tuple[str, ...], response: Mapping[str, object]) -> Evidence:
    """As `botocore.exceptions.ClientError` carries it; its own text would add the name of the operation."""
    error, about = response.get("Error"), response.get("ResponseMetadata")
    error = error if isinstance(error, Mapping) else {}
    about = about if isinstance(about, Mapping) else {}
    status = about.get("HTTPStatusCode")
    return Evidence(
        names,
        str(error.get("Code", "")),
        status if isinstance(status, int) else None,
        f"{error.get('Message', '')} {response.get('reason', '')}"[:_TEXT_CHARACTERS].lower(),
        _seconds(about.get("HTTPHeaders")),
    )


def _status(error: BaseException, response: object) -> int | None:
    for holder in (response, error):
        for name in ("status_code", "status", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:  # noqa: PLR2004 - HTTP's
                return value
    return None


def _body(response: object) -> str:
    text = getattr(response, "text", "")
    return text[:_TEXT_CHARACTERS] if isinstance(text, str) else ""


def _code_in(text: str) -> str:
    found = next((match for pattern in _CODES if (match := pattern.search(text))), None)
    return found.group(1) if found else ""


def _status_in(text: str) -> int | None:
    found = _STATUS.search(text)
    return int(found.group(1)) if found else None


def _seconds(headers: object) -> float | None:
    """Retry-After in seconds; its other form, a date, is left to our own waiting."""
    if not isinstance(headers, Mapping):
        return None
    value = next((text for name, text in headers.items() if str(name).lower() == "retry-after"), None)
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return min(seconds, _LONGEST_WAIT) if seconds >= 0 else None
