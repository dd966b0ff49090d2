"""The whole house for system tests: an embedded Quire as its own process, and what watches it from outside."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quire.client import Client
from quire.embedded import Embedded
from quire_testing.otlp_sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.append(str(Path(__file__).parent))

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts all services."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="module")
def quire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A Quire in one process, with its broker, on free ports."""
    with Embedded(data_dir=tmp_path_factory.mktemp("quire")) as running:
        yield running


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """An OTLP receiver that answers as Jaeger does."""
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def traced_quire(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Embedded]:
    """A Quire that sends its spans to the sink."""
    from houses import opened

    with opened(tmp_path_factory.mktemp("quire"), {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.http_endpoint}) as running:
        yield running


@pytest.fixture
def client(quire: Embedded) -> Iterator[Client]:
    """A client of the module's Quire."""
    with Client(quire.http) as connected:
        yield connected


@pytest.fixture
def loop_job() -> dict[str, object]:
    """A seeded loop of 20 rounds on a ring of six nodes, over both planes and three providers."""
    ring = [[node, (node + 1) % 6, 1.0] for node in range(6)]
    return {
        "kind": "optimize",
        "seed": 11,
        "shots": 256,
        "problem": {"type": "maxcut", "edges": ring},
        "targets": ["simulation", "qiskit:aer", "braket:local"],
        "algorithm": {"name": "qaoa", "layers": 1, "sweep": 16, "optimizer": {"name": "spsa", "rounds": 20}},
    }


@pytest.fixture(scope="session")
def examples() -> dict[str, dict[str, object]]:
    """The committed JSON example documents by file name."""
    return {path.name: json.loads(path.read_text()) for path in (ROOT / "examples").glob("*.json")}
