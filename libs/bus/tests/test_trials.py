"""Trials: suspects run with fewer and fewer others beside them, and who dies alone is guilty."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from quire_bus.codec import Arrived
from quire_bus.trials import ALONE_SECONDS, SUSPECT_AFTER, Trials, Trouble, is_guilty, is_suspect
from quire_testing import eventually


def arrived(sequence: int, attempt: int = 5) -> Arrived:
    return Arrived("quire.cmd.acme.job.cancel.v1.j", {}, b"", datetime.now(UTC), attempt, sequence)


@pytest.mark.parametrize(
    ("attempt", "failures", "suspect"),
    [(SUSPECT_AFTER, 0, False), (SUSPECT_AFTER + 1, 0, True), (6, 3, False), (6, 2, True)],
)
def test_only_deliveries_that_no_failure_explains_make_a_suspect(attempt: int, failures: int, suspect: bool) -> None:
    assert is_suspect(arrived(1, attempt), Trouble(failures=failures)) is suspect


async def test_a_trial_is_on_record_while_it_lasts_and_is_forgotten_when_it_is_survived(bus, clock) -> None:
    trials, known = Trials(bus.connection.store, clock), Trouble(failures=1, trials=1)
    async with trials.trial("d", arrived(7), known):
        assert await Trials(bus.connection.store, clock).known("d", arrived(7)) == Trouble(failures=1, trials=2)
    assert await trials.known("d", arrived(7)) == known
    with pytest.raises(RuntimeError):
        async with trials.trial("d", arrived(7), known):
            raise RuntimeError("a failure, but the process lives")
    assert await trials.known("d", arrived(7)) == known
    assert is_guilty(Trouble(trials=len(ALONE_SECONDS)))


async def test_the_more_often_a_suspect_was_there_at_a_death_the_longer_it_is_alone(bus, clock) -> None:
    trials, inside = Trials(bus.connection.store, clock), []
    leave = asyncio.Event()

    async def run(sequence: int, before: int) -> None:
        async with trials.trial("d", arrived(sequence), Trouble(trials=before)):
            inside.append(sequence)
            await leave.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(run(1, 0))
        await eventually(lambda: inside == [1])
        group.create_task(run(2, 2))
        await eventually(lambda: clock.sleeping == 1)
        clock.advance(ALONE_SECONDS[0])
        await eventually(lambda: inside == [1, 2])
        await eventually(lambda: clock.sleeping == 1)
        last = group.create_task(run(3, 0))
        clock.advance(ALONE_SECONDS[2] - 1)
        async with Trials(bus.connection.store, clock).trial("d", arrived(4), Trouble()):
            pass  # another process's: had the third begun, it would be on record before this one is
        assert inside == [1, 2]
        leave.set()
        await last
    assert inside == [1, 2, 3]
