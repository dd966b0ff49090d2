"""Fixtures of this folder."""

import pytest

from quire_quantum.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox() as shared:
        yield shared
