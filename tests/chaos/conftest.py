"""The chaos harness as the tests use it: short runs of some scenarios, and its laws by themselves."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import paths  # noqa: F401 - lets the modules of the other tests be imported


@pytest.fixture
def trial(tmp_path):
    """`trial(name, **sizes)`: one run of a scenario."""
    from measure import Report
    from scenarios import Trial

    def make(name, seed=20, **sizes):
        return Trial(name, sizes, seed, tmp_path, Report(name, argparse.Namespace()))

    return make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs a scenario starts all services."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.name == "test_scenarios.py":
            item.add_marker(pytest.mark.system)
