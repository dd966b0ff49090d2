"""What the fleet knows together: a bucket of the broker, as far as caches need one."""

from __future__ import annotations

from typing import Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Found(Protocol[T_co]):
    """A value of a bucket, as `quire_bus.records.Stored` has it."""

    @property
    def value(self) -> T_co:
        """The value itself."""
        ...


class Bucket(Protocol[T]):
    """What is needed of `quire_bus.buckets.Bucket`."""

    async def get(self, key: str) -> Found[T] | None:
        """The newest value, if any."""
        ...

    async def put(self, key: str, value: T) -> int:
        """Write a value."""
        ...
