"""Where a target's calls go, and which breakers stand before a call there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from quire_contracts.breaker import ANY, BreakerScope

LOCAL = "local"
"""The account and the region of what runs in this process."""


@dataclass(frozen=True, slots=True)
class Site:
    """One device as one account reaches it."""

    provider: str
    account: str
    region: str
    device: str

    def scopes(self, operation: str) -> tuple[BreakerScope, BreakerScope, BreakerScope]:
        """What may refuse an operation here: its own breaker, the device's and the account's."""
        return _scopes(self, operation)

    def operation_scope(self, operation: str) -> BreakerScope:
        """The calls of one operation at this device."""
        return _scopes(self, operation)[0]

    @property
    def device_scope(self) -> BreakerScope:
        """All calls of this device."""
        return BreakerScope(self.provider, self.account, self.region, self.device)

    @property
    def account_scope(self) -> BreakerScope:
        """All calls of this account."""
        return BreakerScope(self.provider, self.account)

    def is_in(self, scope: BreakerScope) -> bool:
        """Whether calls of this site can be in a scope."""
        return (self.provider, self.account) == (scope.provider, scope.account) and (
            scope.region in (ANY, self.region) and scope.device in (ANY, self.device)
        )


@lru_cache(maxsize=4_096)
def _scopes(site: Site, operation: str) -> tuple[BreakerScope, BreakerScope, BreakerScope]:
    """Kept, because every call of every provider asks for them several times."""
    own = BreakerScope(site.provider, site.account, site.region, site.device, operation)
    return (own, site.device_scope, site.account_scope)
