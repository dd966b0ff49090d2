"""The gateway's process stands still (SIGSTOP): decisions do not wait for it, and take what it said last, marked."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from houses import pids

from quire.client import Client
from quire.embedded import Embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quire.answer import JobView
    from quire.client import Job
    from quire_contracts.appraisal import Appraisal

BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
NOISY = {"kind": "sample", "program": BELL, "shots": 100, "targets": ["qiskit:generic_5"]}
ELSEWHERE = {"kind": "sample", "program": BELL, "shots": 100, "targets": ["simulation"]}


@pytest.fixture(scope="module")
def quire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A Quire with one process for each service."""
    with Embedded(data_dir=tmp_path_factory.mktemp("quire"), processes=True) as running:
        yield running


def decided(job: Job) -> JobView:
    """The job as soon as it is known where its work goes."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        view = job.status(wait=0.2)
        if view.decisions:
            return view
    raise AssertionError(f"job {job.id} was not decided on: it is {view.state}")


def heard(client: Client) -> Appraisal:
    """What the gateway says of the work now; at first it may take longer for that than a decision waits."""
    for _ in range(20):
        view = client.submit(NOISY).wait(60)
        if view.appraisals and view.appraisals[0].said_at is None:
            return view.appraisals[0]
    raise AssertionError("the gateway says nothing of work that it runs")


def test_while_the_gateway_stands_still_work_is_decided_on_by_what_it_said_before(
    quire: Embedded, client: Client
) -> None:
    said = heard(client)
    frozen = pids(quire, "quire_quantum_gateway")
    assert frozen
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        waiting = [client.submit(NOISY) for _ in range(3)]
        views = [decided(job) for job in waiting]
        assert client.submit(ELSEWHERE).wait(30).state == "completed"
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    for view in views:
        (known,) = view.appraisals
        assert known.said_at is not None
        own = dict.fromkeys(("said_at", "wait_seconds", "run_seconds"))
        assert msgspec.structs.replace(known, **own) == msgspec.structs.replace(said, **own)
        assert view.decisions[0].figures["fidelity"] == round(said.fidelity, 6)
    assert {job.wait(60).state for job in waiting} == {"completed"}
    assert heard(client).fidelity == said.fidelity, "and what it says counts again"
