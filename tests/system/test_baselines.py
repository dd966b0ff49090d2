"""The classical side of a job through the whole house: beside its quantum work, proven, one for equal problems."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from houses import pids
from outcome import essence

from quire.client import Client
from quire.embedded import Embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

NODES, WIDE = 27, 23
RING = {
    "kind": "optimize",
    "seed": 5,
    "shots": 256,
    "partition": {"max_variables": 9},
    "algorithm": {"layers": 1, "sweep": 4, "optimizer": {"name": "spsa", "rounds": 2}},
    "problem": {"type": "independent-set", "edges": [[i, (i + 1) % NODES] for i in range(NODES)]},
}


def test_a_problem_too_wide_to_enumerate_has_a_proven_baseline_that_every_job_with_it_shares(client: Client) -> None:
    first, second = (client.submit({**RING, "seed": seed}).wait(60) for seed in (5, 6))
    assert (first.state, second.state) == ("completed", "completed")
    baseline = first.result.baseline
    assert (baseline.value, baseline.bound, baseline.gap, baseline.exact) == (NODES // 2, NODES // 2, 0.0, True)
    assert baseline.bound_method
    assert list(first.result.method_seconds) == [tried.method for tried in baseline.tried]
    assert len(baseline.tried) > 1
    assert second.result.baseline == baseline
    assert second.result.method_seconds == first.result.method_seconds, "it was worked out for the first job"


DENSE = {
    "kind": "optimize",
    "seed": 5,
    "shots": 256,
    "algorithm": {"layers": 1, "sweep": 1, "optimizer": {"name": "spsa", "rounds": 1}},
    "problem": {"type": "maxcut", "edges": [[i, j, 1.0 + (3 * i + 5 * j) % 7] for j in range(WIDE) for i in range(j)]},
}


@pytest.fixture(scope="module")
def thorough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A Quire of a process for each service, whose baselines take seconds: nothing is enumerated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_PREPROCESSING_EXACT_VARIABLES", "0")
        with Embedded(data_dir=tmp_path_factory.mktemp("thorough"), processes=True) as running:
            yield running


def test_quantum_work_is_under_way_before_the_baseline_and_a_kill_meanwhile_loses_nothing(thorough: Embedded) -> None:
    with Client(thorough.http) as client:
        job = client.submit(DENSE)
        while not (sent := job.status()).decisions:
            job.wait_for_answer(0.1)
        assert (sent.baseline, sent.is_over) == (None, False)
        for pid in pids(thorough, "quire_preprocessing"):
            os.kill(pid, signal.SIGKILL)
        ended = job.wait(120)
        again = client.submit(DENSE).wait(120)
    assert ended.state == "completed", ended
    found = next(timing for timing in ended.timings if timing.stage == "baseline")
    assert ended.decisions[0].at < found.started_at + timedelta(seconds=found.seconds)
    assert ended.executions[-1].phase == "final"
    assert ended.executions[-1].started_at >= found.started_at + timedelta(seconds=found.seconds), "which waits for it"
    assert ended.result.quality.gap is not None
    assert ended.result.verdict.classical == ended.result.baseline.value
    assert essence(again) == essence(ended)
    assert again.result.method_seconds == ended.result.method_seconds, "it was worked out for the first job"
