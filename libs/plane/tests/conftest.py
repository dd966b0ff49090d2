"""Batches for the plane."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from quire_testing.batches import make_batch, make_slice


@pytest.fixture
def make():
    """`make.slice(name, rows, seed=, traceparent=)` and `make.batch(structure, members, target=, shots=)`."""
    return SimpleNamespace(slice=make_slice, batch=make_batch)
