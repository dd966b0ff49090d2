"""Work that has to wait for its provider goes back to the log, as often as it must and without costing a delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from quire_bus.envelope import Outgoing
from quire_contracts.batch import BatchFailed
from quire_quantum_gateway.guard import ask
from quire_quantum_gateway.guard_settings import GuardSettings
from quire_quantum_gateway.limits import Postponed
from quire_quantum_gateway.postponing import Patience, said_later
from quire_quantum_gateway.providers.error_table import meanings
from quire_quantum_gateway.providers.port import Availability
from quire_quantum_gateway.sites import Site
from quire_resilience.clock import SystemClock
from quire_testing.executor_suite import BELL

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = Patience(down=timedelta(seconds=900), busy=timedelta(seconds=1_800))


def later(seconds, code="target-failing"):
    return Postponed(meanings()[code].fault, seconds)


@pytest.fixture
def batch(make):
    return msgspec.structs.replace(make.batch(BELL, [make.slice("t1", 1)]), formed_at=NOW, deadline_at=None)


@pytest.mark.parametrize(("asked", "expected"), [(30, 30), (0.01, 1), (5_000, 120)])
def test_it_comes_again_when_it_is_worth_asking(batch, asked, expected):
    said = said_later(batch, later(asked), NOW, PATIENCE)
    assert (said.message.batch, said.at) == (batch, NOW + timedelta(seconds=expected))


def test_patience_ends_with_the_reason_and_when_to_ask_again(batch):
    assert isinstance(said_later(batch, later(30), NOW + timedelta(seconds=869), PATIENCE), Outgoing)
    ended = said_later(batch, later(30), NOW + timedelta(seconds=870), PATIENCE)
    assert (ended.batch_id, ended.members, ended.after_seconds) == (batch.batch_id, batch.members, 30)
    assert (ended.fault.kind, ended.fault.code, ended.fault.retryable) == ("offline", "target-failing", True)


def test_a_provider_that_is_only_busy_is_waited_for_longer(batch):
    assert isinstance(said_later(batch, later(30, "throttled"), NOW + timedelta(seconds=870), PATIENCE), Outgoing)
    ended = said_later(batch, later(30, "too-many-jobs"), NOW + timedelta(seconds=1_770), PATIENCE)
    assert ended.fault.kind == "capacity"


def test_what_time_does_not_heal_is_not_waited_for(batch):
    ended = said_later(batch, later(30, "not-authorised"), NOW, PATIENCE)
    assert (ended.fault.kind, ended.fault.retryable) == ("offline", False)


def test_a_deadline_ends_it_sooner(batch):
    hurried = msgspec.structs.replace(batch, deadline_at=NOW + timedelta(seconds=20))
    assert isinstance(said_later(hurried, later(30), NOW, PATIENCE), BatchFailed)
    assert isinstance(said_later(hurried, later(10), NOW, PATIENCE), Outgoing)


def test_what_the_house_says_of_breakers_and_retries_is_what_they_get():
    settings = GuardSettings(breaker_open_seconds=900, retry_tries=2)
    assert (settings.breaker_policy.open_seconds, settings.breaker_policy.longest_seconds) == (900, 900)
    assert settings.retry_policy.tries == 2
    assert settings.patience.down < settings.patience.busy


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
