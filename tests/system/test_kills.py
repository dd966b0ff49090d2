"""Services and the broker killed with -9 in the middle of a job: it ends with the result it would have had."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from outcome import essence

from quire.client import Client
from quire.embedded import Embedded
from quire.errors import CannotConnectError

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICES = (
    "control_plane",
    "batching",
    "quantum_gateway",
    "aggregation",
    "preprocessing",
    "gpu_simulation",
    "ledger",
    "api",
)
"""The four that every round needs come first, so that the loop cannot end before the others are killed too."""

SECONDS_AFTER_THE_LAST_KILL = 15
SECONDS_FOR_A_ROUND = 30


@pytest.fixture(scope="module")
def quire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A Quire with one process for each service."""
    with Embedded(data_dir=tmp_path_factory.mktemp("quire"), processes=True) as running:
        yield running


@pytest.fixture
def slow_job(loop_job: dict[str, object]) -> dict[str, object]:
    """The loop on a ring of twelve nodes with many shots: a round takes long enough to be hit."""
    ring = [[node, (node + 1) % 12, 1.0] for node in range(12)]
    return {**loop_job, "shots": 20_000, "problem": {"type": "maxcut", "edges": ring}}


def pids(quire: Embedded, word: str) -> list[int]:
    """Processes below the supervisor whose command line holds a word."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                commands[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                parents[int(entry.name)] = int(status[1])
            except (FileNotFoundError, ProcessLookupError):
                continue

    def below(pid: int) -> bool:
        while pid in parents:
            if pid == quire.pid:
                return True
            pid = parents[pid]
        return False

    return [pid for pid, command in commands.items() if word in command and pid != quire.pid and below(pid)]


def later_round(client: Client, job_id: str, reached: int) -> int:
    """The job's round as soon as it is a later one than `reached`."""
    end = time.monotonic() + SECONDS_FOR_A_ROUND
    while time.monotonic() < end:
        with contextlib.suppress(CannotConnectError):  # the api was killed just now
            now = len(client.job(job_id).status().rounds)
            if now > reached:
                return now
        time.sleep(0.02)
    pytest.fail(f"round {reached} did not end within {SECONDS_FOR_A_ROUND} s")


def test_each_service_killed_in_turn(quire: Embedded, slow_job: dict[str, object]) -> None:
    """Each kill waits until the loop has moved on since the last one, so that all of them hit the same job."""
    with Client(quire.http) as client:
        clean = client.submit(slow_job).wait(100)
        assert clean.state == "completed", clean
        job, reached, last_kill, killed = client.submit(slow_job), 0, 0.0, []
        for service in SERVICES:
            reached = later_round(client, job.id, reached)
            victims = pids(quire, f"quire_{service}")
            assert victims, service
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            last_kill = time.monotonic()
            killed.append((service, reached))
        ended = job.wait(60)
        took = time.monotonic() - last_kill
    assert essence(ended) == essence(clean)
    assert took < SECONDS_AFTER_THE_LAST_KILL
    assert killed[-1][1] < 20, killed


def test_the_broker_killed_mid_job(quire: Embedded, slow_job: dict[str, object]) -> None:
    with Client(quire.http) as client:
        clean = client.submit(slow_job).wait(100)
        before = {service: pids(quire, f"quire_{service}") for service in SERVICES}
        job = client.submit(slow_job)
        later_round(client, job.id, 4)
        (broker,) = pids(quire, "nats-server")
        os.kill(broker, signal.SIGKILL)
        ended = job.wait(60)
        assert essence(ended) == essence(clean)
        assert {service: pids(quire, f"quire_{service}") for service in SERVICES} == before
