"""Batches for the gateway."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest

from quire_testing.batches import make_batch, make_slice


@pytest.fixture
def make():
    """`make.slice(name, rows, seed=, traceparent=)` and `make.batch(structure, members, target=, shots=)`."""
    return SimpleNamespace(slice=make_slice, batch=partial(make_batch, target="qiskit:aer"))
