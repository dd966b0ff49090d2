"""Which traces are recorded: so many a second that it costs little, and always those that a caller wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind, TraceState
    from opentelemetry.util.types import Attributes

    from quire_resilience.clock import Clock

_BURST_SECONDS: Final = 5.0
"""After a pause so many seconds' worth of traces may begin at once."""


def sampler(per_second: float, clock: Clock) -> Sampler:
    """A trace that came from elsewhere is recorded if its flag says so; for those that begin here see `Roots`."""
    return ParentBased(Roots(per_second, clock))


class Roots(Sampler):
    """Records up to `per_second` of the traces that begin here; one that begins with links, if a linked one is.

    A batch's trace has links to its members': so a recorded job has its batch, and no other batch is recorded.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._rate = per_second
        self._clock = clock
        self._most = max(1.0, per_second * _BURST_SECONDS) if per_second > 0 else 0.0
        self._left = self._most
        self._at = clock.monotonic()

    def should_sample(  # noqa: PLR0917 - the SDK's own order of arguments
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See `Sampler.should_sample`."""
        del trace_id, name, kind, trace_state
        kept = any(link.context.trace_flags.sampled for link in links) if links else self._take()
        state = trace.get_current_span(parent_context).get_span_context().trace_state
        if kept:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, state)
        return SamplingResult(Decision.DROP, None, state)

    def get_description(self) -> str:
        """See `Sampler.get_description`."""
        return f"Roots({self._rate:g}/s)"

    def _take(self) -> bool:
        now = self._clock.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
