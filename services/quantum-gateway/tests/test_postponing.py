"""Work that has to wait for its provider goes back to the log, as often as it must and without costing a delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from quire_quantum_gateway.guard import ask
from quire_quantum_gateway.guard_settings import GuardSettings
from quire_quantum_gateway.limits import Postponed
from quire_quantum_gateway.postponing import said_later
from quire_quantum_gateway.providers.error_table import meanings
from quire_quantum_gateway.providers.port import Availability
from quire_quantum_gateway.sites import Site
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent, Transient
from quire_testing.executor_suite import BELL

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = timedelta(seconds=900)


def later(seconds, code="target-failing"):
    return Postponed(meanings()[code].fault, seconds)


@pytest.fixture
def batch(make):
    return msgspec.structs.replace(make.batch(BELL, [make.slice("t1", 1)]), formed_at=NOW, deadline_at=None)


@pytest.mark.parametrize(("asked", "expected"), [(30, 30), (0.01, 1), (5_000, 120)])
def test_it_comes_again_when_it_is_worth_asking(batch, asked, expected):
    said = said_later(batch, later(asked), NOW, PATIENCE)
    assert (said.message.batch, said.at) == (batch, NOW + timedelta(seconds=expected))


def test_patience_ends_with_the_reason(batch):
    assert said_later(batch, later(30), NOW + timedelta(seconds=869), PATIENCE)
    with pytest.raises(Permanent) as caught:
        said_later(batch, later(30), NOW + timedelta(seconds=870), PATIENCE)
    assert (caught.value.kind, caught.value.code, caught.value.retryable) == ("offline", "target-failing", True)
    with pytest.raises(Transient):
        said_later(batch, later(30, "throttled"), NOW + timedelta(seconds=870), PATIENCE)


def test_what_time_does_not_heal_is_not_waited_for(batch):
    with pytest.raises(Permanent) as caught:
        said_later(batch, later(30, "not-authorised"), NOW, PATIENCE)
    assert (caught.value.kind, caught.value.retryable) == ("offline", False)


def test_a_deadline_ends_it_sooner(batch):
    hurried = msgspec.structs.replace(batch, deadline_at=NOW + timedelta(seconds=20))
    with pytest.raises(Permanent):
        said_later(hurried, later(30), NOW, PATIENCE)
    assert said_later(hurried, later(10), NOW, PATIENCE)


def test_what_the_house_says_of_breakers_and_retries_is_what_they_get():
    settings = GuardSettings(breaker_open_seconds=900, retry_tries=2)
    assert (settings.breaker_policy.open_seconds, settings.breaker_policy.longest_seconds) == (900, 900)
    assert settings.retry_policy.tries == 2


class Window:
    def __init__(self, availability):
        self._availability = availability

    def window(self, backend):
        assert backend == "Aria-1"
        return self._availability


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Availability(), (True, None)),
        (Availability(open=False, until=NOW), (False, "target-offline")),
        (Availability(retired=True), (False, "target-retired")),
    ],
)
async def test_a_probe_asks_the_provider_whether_the_device_is_open(found, expected):
    from quire_plane import Lanes

    lanes = Lanes(1, SystemClock())
    answer = await ask({"aws": Window(found)}, lanes, Site("aws", "1", "us-east-1", "Aria-1"))
    assert (answer.ok, None if answer.ok else answer.reason) == expected
    assert answer.until == found.until
    await lanes.close()
