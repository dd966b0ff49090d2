"""The exchange of an API key for a token, which IBM Cloud's clients insist on; every key is welcome."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from quire_emulator.http import Answer

if TYPE_CHECKING:
    from quire_emulator.http import Request
    from quire_resilience.clock import Clock

_SECONDS: Final = 3600


class IamApi:
    """The call below `/iam`: POST identity/token."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def answer(self, request: Request) -> Answer:
        """Answer one call."""
        if (request.method, request.path) != ("POST", ("identity", "token")):
            return Answer.json({"errorCode": "BXNIM0101E", "errorMessage": "no such call"}, status=404)
        now = int(self._clock.now().timestamp())
        account = blake2b(request.body, digest_size=8).hexdigest()
        claims = {"iam_id": account, "iat": now, "exp": now + _SECONDS}
        parts = [{"alg": "none", "typ": "JWT"}, claims, "unsigned"]
        return Answer.json(
            {
                "access_token": ".".join(map(_part, parts)),
                "refresh_token": "not_supported",
                "token_type": "Bearer",
                "expires_in": _SECONDS,
                "expiration": now + _SECONDS,
            }
        )


def _part(value: Any) -> str:
    return urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")
