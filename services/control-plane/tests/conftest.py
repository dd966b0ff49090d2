"""Fixtures of the control plane's tests; `control_plane_cases` beside this file has what they are made of."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def sample_body() -> bytes:
    """A sampling job with everything but the essentials left out."""
    return b'{"kind": "sample", "program": "OPENQASM 3.0;", "shots": 100, "seed": 5}'
