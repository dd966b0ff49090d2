"""One emulated cloud for each module, and the Braket adapter before it through the real SDK."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aws_cloud import opened

from quire_emulator.process import EmulatorProcess
from quire_testing.clouds import AMAZON


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with EmulatorProcess(tmp_path_factory.mktemp("cloud"), config=AMAZON, seed=7) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def opened_once(cloud, account):
    """One provider for all tests: clients take half a second to make."""
    return opened(cloud)


@pytest.fixture
def provider(opened_once, emulator):
    return opened_once


@pytest.fixture
def make(opened_once, emulator):
    """`make()`: a provider that remembers nothing, as another process would have it; settings by name."""

    def open_provider(**settings):
        made = opened(emulator, **settings)
        if not settings.keys() - {"task_usd", "watch_spending", "tasks"}:
            made._service._sessions = opened_once._service._sessions
            made._service._devices = opened_once._service._devices
        return made

    return open_provider


@pytest.fixture
def single(make):
    """A provider whose devices take no program sets: each executable is a task."""
    found = make()
    for name in ("garnet", "slow"):
        found._devices[name] = replace(found._describe(name), sets=None)
    return found
