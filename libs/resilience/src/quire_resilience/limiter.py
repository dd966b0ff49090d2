"""A token bucket: at most `capacity` calls at once and `rate` calls a second over time."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """The state of one limiter; a change is a new value, and time is an argument (seconds, monotonic).

    rate: tokens that come back each second, > 0.
    capacity: most tokens held, >= 1; the largest burst.
    tokens: held at the time `updated`.
    """

    rate: float
    capacity: float
    tokens: float
    updated: float

    @classmethod
    def full(cls, *, rate: float, capacity: float, now: float) -> TokenBucket:
        """A bucket that starts full at `now`.

        Raises:
            ValueError: for a rate or capacity that could never let a call in.
        """
        if rate <= 0 or capacity < 1:
            message = f"a token bucket needs rate > 0 and capacity >= 1, got rate={rate} and capacity={capacity}"
            raise ValueError(message)
        return cls(rate=rate, capacity=capacity, tokens=capacity, updated=now)

    def refilled(self, now: float) -> TokenBucket:
        """The same bucket at `now`. A `now` before `updated` changes nothing: time does not take tokens back."""
        if now <= self.updated:
            return self
        tokens = min(self.capacity, self.tokens + (now - self.updated) * self.rate)
        return replace(self, tokens=tokens, updated=now)

    def take(self, now: float, tokens: float = 1.0) -> tuple[TokenBucket, float]:
        """Take `tokens` at `now`: the new bucket and 0.0, or the bucket unchanged in value and the seconds to wait.

        Raises:
            ValueError: if `tokens` is not in (0, capacity]: no wait would ever be enough.
        """
        if not 0 < tokens <= self.capacity:
            message = f"cannot take {tokens} tokens from a bucket that holds at most {self.capacity}"
            raise ValueError(message)
        bucket = self.refilled(now)
        if bucket.tokens >= tokens:
            return replace(bucket, tokens=bucket.tokens - tokens), 0.0
        return bucket, (tokens - bucket.tokens) / self.rate


@dataclass(frozen=True, slots=True)
class Pace:
    """A token bucket that also stands still while the other side has asked for silence.

    silent_until: nothing is let in before; seconds of the bucket's clock.
    """

    bucket: TokenBucket
    silent_until: float = 0.0

    def take(self, now: float) -> tuple[Pace, float]:
        """Take one token at `now`: the new pace and 0.0, or the seconds to wait."""
        if now < self.silent_until:
            return self, self.silent_until - now
        bucket, wait = self.bucket.take(now)
        return replace(self, bucket=bucket), wait

    def silenced(self, now: float, seconds: float) -> Pace:
        """After the other side said that it is too much: silence for a while, and no burst when it is over."""
        emptied = replace(self.bucket.refilled(now), tokens=0.0, updated=max(now, now + seconds))
        return Pace(emptied, max(self.silent_until, now + seconds))
