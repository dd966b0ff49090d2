"""A Quire that says what a test tells it to, for every test of the client."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from fake_quire import fake_quire

ROOT = Path(__file__).parents[3]


@pytest.fixture
def fake():
    with fake_quire() as quire:
        yield quire


@pytest.fixture(scope="session")
def examples():
    return ROOT / "examples"
