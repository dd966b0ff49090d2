"""Failpoints: nothing in production, a kill where a test says so."""

from __future__ import annotations

import subprocess
import sys

import pytest

from quire_quantum_gateway.failpoints import NoFailpoints, failpoints

PROGRAM = """
from quire_quantum_gateway.failpoints import failpoints
points = failpoints("announced:2")
points.reach("opened"); points.reach("announced"); print("once", flush=True)
points.reach("announced"); print("twice", flush=True)
"""


def test_without_a_setting_there_are_none():
    assert isinstance(failpoints(""), NoFailpoints)
    failpoints("").reach("announced")


def test_a_point_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no failpoint"):
        failpoints("somewhere")


def test_an_armed_one_ends_the_process_when_it_is_reached_so_often():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (137, "once\n")
