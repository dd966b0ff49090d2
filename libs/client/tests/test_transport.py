"""Whatever goes wrong on the way leaves as one of Quire's errors."""

import httpx
import pytest

from quire import errors
from quire.transport import Transport, refusal, translate


def subclasses(kind):
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


FOREIGN = sorted(
    {kind for base in (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) for kind in subclasses(base)},
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_every_error_of_the_http_library_is_translated(kind):
    error = kind.__new__(kind)
    mapped = translate("http://here", error)
    expected = (
        errors.CannotConnectError if issubclass(kind, (httpx.TransportError, httpx.InvalidURL)) else errors.ServerError
    )
    assert type(mapped) is expected
    assert "http://here" in str(mapped)


def test_nobody_listening_is_told_from_a_lost_connection():
    assert not translate("http://here", httpx.ConnectError("refused")).reached
    assert translate("http://here", httpx.ReadTimeout("slow")).reached


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, errors.InvalidDocumentError, 3),
        (413, errors.InvalidDocumentError, 3),
        (422, errors.InvalidDocumentError, 3),
        (404, errors.NotFoundError, 3),
        (410, errors.NotFoundError, 3),
        (409, errors.ConflictError, 3),
        (429, errors.CannotConnectError, 7),
        (503, errors.CannotConnectError, 7),
        (500, errors.ServerError, 1),
        (418, errors.ServerError, 1),
    ],
)
def test_every_refusal_has_its_error_and_exit_code(status, kind, code):
    said = refusal(status, b'{"title": "No", "detail": "because", "next_step": "go home"}')
    assert type(said) is kind
    assert said.exit_code == code
    assert "No: because" in str(said)
    assert said.next_step == "go home"


def test_a_stranger_behind_the_address_is_no_crash():
    assert "502 Bad Gateway" in str(refusal(502, b"<h1>502 Bad Gateway</h1>"))
    assert "HTTP status 404" in str(refusal(404, b"\xff"[:0]))


def test_an_address_that_is_none_is_told_at_once():
    with pytest.raises(errors.CannotConnectError, match="no address"):
        Transport("localhost:8080")
