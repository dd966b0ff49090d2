"""A Quire of one's own: up when it says so, gone with its block, its last words told, its data kept on request."""

import os
import sys
from pathlib import Path

import pytest

from quire import CannotConnectError, embedded
from quire.embedded import Embedded

UP = """
import json, os, sys
print(json.dumps({"http": "http://here", "nats": "nats://here", "pid": os.getpid(), "argv": sys.argv[1:]}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Put a program in the place of all-in-one."""

    def put(text):
        (tmp_path / "stand_in.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(embedded, "_PROGRAM", "stand_in")

    return put


def alive(pid):
    return Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_it_lives_as_long_as_its_block_and_leaves_nothing(program):
    program(UP)
    with Embedded() as quire:
        pid, folder = quire.pid, quire.data_dir
        assert (quire.http, quire.nats) == ("http://here", "nats://here")
        assert alive(pid)
        assert folder.exists()
    assert not alive(pid)
    assert not folder.exists()


def test_its_data_is_kept_on_request_or_where_it_was_put(program, tmp_path):
    program(UP)
    with Embedded() as quire:
        quire.keep_data()
    assert quire.data_dir.exists()
    quire.log.unlink()
    quire.data_dir.rmdir()
    with Embedded(data_dir=tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").exists()


def test_one_that_does_not_come_up_is_told_with_its_last_words(program):
    program("import sys\nprint('port 8080 is taken', file=sys.stderr)\nsys.exit(69)")
    quire = Embedded()
    with pytest.raises(CannotConnectError, match=r"(?s)exit code 69.*port 8080 is taken"), quire:
        pass
    assert not quire.data_dir.exists()


def test_its_end_is_told_by_its_exit_code(program):
    program(UP.replace("sys.stdin.read()", "sys.exit(70)"))
    with Embedded() as quire:
        assert quire.wait() == 70


def test_without_all_in_one_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setattr(embedded, "_PROGRAM", "not_installed_anywhere")
    quire = Embedded()
    with pytest.raises(CannotConnectError) as caught, quire:
        pass
    assert "quire[local]" in caught.value.next_step
    assert not os.path.exists(quire.data_dir)  # noqa: PTH110 - the plainest question
