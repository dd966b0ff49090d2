"""Fixtures of the gateway's tests: batches, gateways, and what the emulated clouds share."""

from __future__ import annotations

import itertools
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from quire_testing.batches import make_batch, make_slice

sys.path.append(str(Path(__file__).parent))  # --import-mode=importlib finds no neighbours: `gateway_house` is one


@pytest.fixture
def make():
    """`make.slice(name, rows, seed=, traceparent=)` and `make.batch(structure, members, target=, shots=)`."""
    return SimpleNamespace(slice=make_slice, batch=partial(make_batch, target="qiskit:aer"))


@pytest.fixture
def remote():
    """`House`, `Bomb`, `Killed`, `FakeRemote`: what is needed to be cruel to gateways."""
    from gateway_house import Bomb, FakeRemote, House, Killed

    return SimpleNamespace(House=House, Bomb=Bomb, Killed=Killed, FakeRemote=FakeRemote)


TOKENS = itertools.count()


@pytest.fixture
def emulator(cloud):
    """The module's cloud, without the faults of the test before."""
    cloud.disarm()
    yield cloud
    cloud.disarm()


@pytest.fixture
def token():
    """Nobody else's, in the cloud's life."""
    return f"batch-{next(TOKENS)}-abc"


@pytest.fixture(scope="module")
def account():
    """Credentials that are none, and nothing of this machine's."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "AKIDEMULATED")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        environment.setenv("AWS_CONFIG_FILE", "/nowhere")
        environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        yield
