"""Errors, backoff, retries, clock, breaker, limiter: pure, clock and randomness injected, standard library only."""
