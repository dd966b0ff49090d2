"""`quire emulator`: up when it says so, interrupted in order, and a clear word where it is not installed."""

import json
import signal
import subprocess
import sys

import httpx
from typer.testing import CliRunner

from quire import emulator
from quire.cli import app


def test_it_is_up_when_it_says_so_and_ends_when_it_is_interrupted(tmp_path):
    command = [sys.executable, "-m", "quire", "emulator", "--json", "--port", "0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        ready = json.loads(child.stdout.readline())
        assert httpx.get(f"{ready['url']}/control/health").json()["ok"]
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 0
    assert (tmp_path / "ledger.jsonl").exists()


def test_a_configuration_with_a_mistake_is_told(tmp_path):
    (tmp_path / "cloud.toml").write_text("sed = 1")
    ended = CliRunner().invoke(
        app, ["emulator", "--port", "0", "--data-dir", str(tmp_path / "data"), "--config", str(tmp_path / "cloud.toml")]
    )
    assert ended.exit_code == 7
    assert "did not come up" in ended.stderr


def test_without_it_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setattr(emulator, "_PROGRAM", "not_installed_anywhere")
    ended = CliRunner().invoke(app, ["emulator"])
    assert ended.exit_code == 7
    assert "quire[emulator]" in ended.stderr
