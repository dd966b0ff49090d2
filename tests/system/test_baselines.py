"""The classical side of a job through the whole house: proven, told method by method, one for equal problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quire.client import Client

NODES = 27
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
