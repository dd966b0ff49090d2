"""Batches for the plane."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from quire_contracts.value import inline_blob
from quire_testing.batches import make_batch, make_slice


@pytest.fixture
def make():
    """`make.slice(name, rows, seed=, traceparent=)` and `make.batch(structure, members, target=, shots=)`."""
    return SimpleNamespace(slice=make_slice, batch=make_batch)


class Contents:
    """A content store in memory."""

    def __init__(self):
        self._kept = {}

    async def get(self, ref):
        """The content."""
        return self._kept[ref.sha256]

    async def put(self, data, media_type):
        """Keep a content."""
        ref = inline_blob(data, media_type)
        self._kept[ref.sha256] = data
        return ref


@pytest.fixture
def blobs():
    """A content store in memory."""
    return Contents()
