"""Fixtures of the control plane's tests; `control_plane_cases` beside this file has what they are made of."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def sample_body() -> bytes:
    """A sampling job with everything but the essentials left out."""
    return b'{"kind": "sample", "program": "OPENQASM 3.0;", "shots": 100, "seed": 5}'


@pytest.fixture
def optimize_body() -> bytes:
    """A loop of four rounds."""
    return (
        b'{"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}, "seed": 5, "shots": 100,'
        b' "algorithm": {"name": "qaoa", "layers": 1, "optimizer": {"name": "spsa", "rounds": 4}}}'
    )
