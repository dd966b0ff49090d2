"""What operators ask of a Quire and tell it: dead letters, and kill switches."""

from __future__ import annotations

from typing import Any, Literal

from quire.transport import Transport, decoded
from quire_contracts.switch import Scope, Switch
from quire_contracts.value import Value


class DeadLetters(Value, frozen=True):
    """The answer to a question for dead letters; each is a plain object."""

    dead_letters: tuple[dict[str, Any], ...]


class _Switches(Value, frozen=True):
    switches: tuple[Switch, ...]


class Operations:
    """The operators' part of a client; `transport` is the way there."""

    transport: Transport

    def switches(self) -> tuple[Switch, ...]:
        """The kill switches that were ever turned, those that are off first; any other one is on."""
        found: _Switches = decoded(self.transport.call("GET", "/v1/switches"), _Switches)
        return found.switches

    def turn(self, scope: Scope, name: str, state: Literal["on", "off"], *, reason: str, by: str) -> Switch:
        """Turn a kill switch; when this returns, it holds within a second. Work that it stops is not lost.

        scope, name: `all` (with no name), a `provider`, a `backend` (a target such as `aws:forte`) or a `tenant`.
        reason: why; whose work waits reads it.   by: who turns it.

        Raises:
            QuireError: it was not turned, or nobody knows; turning it again is safe.
        """
        params = {"scope": scope, "name": name, "state": state, "reason": reason, "by": by}
        turned: Switch = decoded(self.transport.call("POST", "/v1/switches", params=params), Switch)
        return turned

    def dead_letters(self, *, service: str = "", limit: int = 50) -> tuple[dict[str, Any], ...]:
        """Messages that nobody could handle, of one service or of all, newest first, as plain objects."""
        params = {"limit": str(limit)} | ({"service": service} if service else {})
        found: DeadLetters = decoded(self.transport.call("GET", "/v1/dead-letters", params=params), DeadLetters)
        return found.dead_letters

    def dead_letter(self, sequence: int) -> dict[str, Any]:
        """One of them with its headers and its body, as a plain object.

        Raises:
            NotFoundError: if there is no such dead letter.
        """
        found: dict[str, Any] = decoded(self.transport.call("GET", f"/v1/dead-letters/{sequence}"), dict[str, Any])
        return found

    def replay(self, sequence: int) -> None:
        """Put a dead letter's message back where it came from.

        Raises:
            NotFoundError: if there is no such dead letter.
        """
        self.transport.call("POST", f"/v1/dead-letters/{sequence}/replay")

    def drop(self, sequence: int) -> None:
        """Delete a dead letter for good.

        Raises:
            NotFoundError: if there is no such dead letter.
        """
        self.transport.call("DELETE", f"/v1/dead-letters/{sequence}")
