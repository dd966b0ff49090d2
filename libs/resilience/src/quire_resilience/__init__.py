"""Errors, backoff, clock, breaker and limiter: pure, the clock and the randomness injected, standard library only."""
