"""Kill switches that stand as a test puts them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from quire_contracts.switch import Switch


@dataclass
class ManualSwitches:
    """As `quire_service.switches.Switches` to those who ask: `off` are off, and `error` is raised instead of an answer.

    is_fresh: whether what is known is believed without asking.   asks: how often was asked.
    """

    off: list[Switch] = field(default_factory=list)
    error: Exception | None = None
    is_fresh: bool = True
    asks: int = 0

    def stopped(self, target: str, tenants: Collection[str] = ()) -> Switch | None:
        """The switch that stops such work."""
        return next((switch for switch in self.off if switch.stops(target, tenants)), None)

    async def asked(self, target: str, tenants: Collection[str] = ()) -> Switch | None:
        """The same, or the error; what was asked is fresh."""
        self.asks += 1
        if self.error is not None:
            raise self.error
        self.is_fresh = True
        return self.stopped(target, tenants)
