import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, TraceFlags

from quire_service.sampling import sampler


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tracer(clock):
    return TracerProvider(sampler=sampler(2.0, clock), shutdown_on_exit=False).get_tracer("test")


def recorded(tracer, count, **options):
    """How many of `count` new spans are recorded."""
    return sum(tracer.start_span("root", **options).is_recording() for _ in range(count))


def spoken_of(sampled):
    """The context of a span elsewhere."""
    return SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(int(sampled)))


def test_so_many_traces_a_second_are_recorded_and_some_more_after_a_pause(tracer, clock):
    assert recorded(tracer, 50) == 10
    clock.time += 1.0
    assert recorded(tracer, 50) == 2
    clock.time += 3600.0
    assert recorded(tracer, 50) == 10


@pytest.mark.parametrize("sampled", [True, False])
def test_a_caller_s_trace_is_recorded_as_the_caller_says_and_takes_nothing_from_ours(tracer, sampled):
    context = trace.set_span_in_context(NonRecordingSpan(spoken_of(sampled)))
    assert recorded(tracer, 100, context=context) == (100 if sampled else 0)
    assert recorded(tracer, 50) == 10


def test_a_trace_that_begins_with_links_is_recorded_if_a_linked_one_is(tracer):
    both = [Link(spoken_of(sampled=False)), Link(spoken_of(sampled=True))]
    assert recorded(tracer, 100, links=both) == 100
    assert recorded(tracer, 100, links=both[:1]) == 0


def test_no_trace_begins_here_at_a_rate_of_zero(clock):
    tracer = TracerProvider(sampler=sampler(0.0, clock), shutdown_on_exit=False).get_tracer("test")
    assert recorded(tracer, 5) == 0
