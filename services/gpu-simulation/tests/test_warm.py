"""The engine compiled ahead, and found again where its folder may only be read; what checks it is ready as well."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quire_gpu_simulation.__main__ import SERVICE
from quire_gpu_simulation.aer_executor import AerExecutor
from quire_gpu_simulation.engine import jit, warm
from quire_gpu_simulation.settings import Settings
from quire_gpu_simulation.simulators import open_simulators
from quire_resilience.clock import SystemClock
from quire_service import hosted
from quire_testing import eventually


@pytest.fixture
def filled(tmp_path, monkeypatch):
    """A cache folder with something in it, as `NUMBA_CACHE_DIR` names it."""
    (tmp_path / "engine_1").mkdir()
    (tmp_path / "engine_1" / "kernel.nbi").write_bytes(b"compiled")
    monkeypatch.setattr(jit._config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def test_a_folder_that_may_only_be_read_is_copied(filled, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    jit.use_read_only_cache()
    copy = Path(jit._config.CACHE_DIR)
    assert copy != filled
    assert (copy / "engine_1" / "kernel.nbi").read_bytes() == b"compiled"


def test_one_that_may_be_written_is_used_as_it_is(filled):
    jit.use_read_only_cache()
    assert str(filled) == jit._config.CACHE_DIR


def test_without_any_folder_it_is_compiled_all_the_same(monkeypatch):
    def njit(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'run': no locator available")
        return lambda function: function

    monkeypatch.setattr(jit, "_njit", njit)
    assert jit.entry(abs) is abs


def test_what_is_warmed_is_the_engine_that_the_service_opens(monkeypatch):
    opened = []

    class Engine:
        def execute(self, work):
            opened.append(work.rows)

        def close(self):
            opened.append("closed")

    monkeypatch.setattr(
        warm, "open_engine", lambda settings, clock: opened.append((settings.device, settings.precision)) or Engine()
    )
    warm.main([])
    warm.main(["single"])
    assert opened == [("cpu", "double"), 1, "closed", ("cpu", "single"), 1, "closed"]
    with pytest.raises(SystemExit, match="half is none of double, single"):
        warm.main(["half"])


async def test_a_service_warms_what_its_answers_are_checked_against(provisioned, monkeypatch):
    warmed = []
    monkeypatch.setattr(AerExecutor, "execute", lambda self, work: warmed.append(work.shots))
    async with hosted(SERVICE, Settings(nats_url=provisioned.url)):
        await eventually(lambda: warmed)
    assert warmed == [1]


@pytest.mark.parametrize("fields", [{"cross_check_share": 0.0}, {"executor": "aer"}])
def test_where_nothing_is_checked_one_simulator_is_warmed(fields):
    assert list(open_simulators(Settings(**fields), SystemClock()).warmable) == ["simulation"]
