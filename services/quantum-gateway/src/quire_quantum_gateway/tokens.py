"""A submission's name at its provider: from it alone anybody can tell which batch it is of."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from quire_contracts.batch import Batch

_CHARACTERS: Final = 52
_DIGEST: Final = 15
_READABLE: Final = re.compile(rf"[a-z0-9-]{{1,{_CHARACTERS - _DIGEST - 1}}}", re.ASCII)
_TOKEN: Final = re.compile(rf"({_READABLE.pattern})-[a-z2-7]{{{_DIGEST}}}", re.ASCII)


def request_sha256(batch: Batch) -> str:
    """Digest of what is asked of the provider: what runs and with which numbers, not who asks or when."""
    asked = (
        batch.target,
        batch.structure.sha256,
        batch.observables.sha256 if batch.observables else None,
        batch.shots,
        [(member.task_id, member.attempt, member.first, member.seed, member.parameters) for member in batch.members],
        *([batch.mitigation] if batch.mitigation is not None else []),  # what has none is named as it always was
    )
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()


def token_of(batch_id: str, request: str) -> str:
    """At most 52 characters of a-z, 0-9 and -: the batch's id and 75 bits of a digest of id and request.

    Of an id that cannot stand in it (longer than a UUID, or with other characters) there is the digest alone.
    """
    digest = base64.b32encode(hashlib.blake2s(f"{batch_id}|{request}".encode()).digest()).decode().lower().rstrip("=")
    return f"{batch_id}-{digest[:_DIGEST]}" if _READABLE.fullmatch(batch_id) else digest[:_CHARACTERS]


def batch_of(token: str) -> str | None:
    """The id of the batch that a token was made for; None where the token does not tell."""
    found = _TOKEN.fullmatch(token)
    return found[1] if found else None
