"""Loops with every optimiser through the whole house: they go up, and the same seed ends at the same angles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from quire.client import Client

RING = [[node, (node + 1) % 6, 1.0] for node in range(6)]
OPTIMIZERS: dict[str, dict[str, object]] = {
    "spsa": {"name": "spsa"},
    "nft": {"name": "nft"},
    "cma-es": {"name": "cma-es"},
    "parameter-shift": {"name": "parameter-shift"},
    "cobyla": {"name": "scipy"},
    "nelder-mead": {"name": "scipy", "method": "nelder-mead"},
    "powell": {"name": "scipy", "method": "powell"},
    "l-bfgs-b": {"name": "scipy", "method": "l-bfgs-b"},
}


def document(optimizer: dict[str, object]) -> dict[str, object]:
    algorithm = {"name": "qaoa", "layers": 1, "initial": [0.3, 0.15], "optimizer": {"rounds": 8} | optimizer}
    return {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": RING},
        "seed": 11,
        "shots": 2048,
        "algorithm": algorithm,
    }


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_loop_goes_up_and_can_be_repeated(client: Client, optimizer: dict[str, object]) -> None:
    handles = [client.submit(document(optimizer)) for _ in range(2)]
    first, second = (handle.wait(60) for handle in handles)
    assert (first.state, second.state) == ("completed", "completed"), first
    assert first.result.parameters == second.result.parameters
    assert first.result.history == second.result.history
    assert first.result.history[-1].best > 4.0, "the start point's expectation is 3.9"
    assert first.result.best.value == 6.0


def test_curves_find_the_best_angles_of_a_ring(client: Client, examples: dict[str, dict[str, object]]) -> None:
    """One layer cuts 3/4 of a ring at gamma = pi/4 and beta = pi/8 (Farhi et al., arXiv:1411.4028, section IV)."""
    view = client.submit(examples["ring-by-curves.json"]).wait(60)
    assert view.state == "completed", view
    assert view.result.history[-1].objective == pytest.approx(6.0, abs=0.1)
    gamma, beta = view.result.parameters
    assert abs(math.sin(2 * gamma)) > 0.95
    assert abs(math.sin(4 * beta)) > 0.95
