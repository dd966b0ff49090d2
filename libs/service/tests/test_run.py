"""Whole processes: signals, exit codes, and what is written where."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from quire_service import Exit
from quire_testing.waiting import eventually

PROGRAM = """
import asyncio, time
from quire_service import Field, Parts, Secret, Service, ServiceSettings, run

class Settings(ServiceSettings):
    mode: str = "work"
    password: Secret | None = None

async def build(deps):
    if deps.settings.mode == "crash":
        raise RuntimeError("boom")

    async def work(stopping):
        deps.log.info("working", loop=type(asyncio.get_running_loop()).__module__)
        await stopping.wait()
        if deps.settings.mode == "hang":
            time.sleep(60)

    return Parts(background={"work": work})

run(Service(name="echo", version="1.2.3", settings=Settings, build=build))
"""


@pytest.fixture
def start(tmp_path):
    """`start(*arguments, VARIABLE=value)`: the service as a process of its own."""
    program = tmp_path / "service.py"
    program.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    started = []

    def run(*arguments, **variables):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("QUIRE_", "OTEL_"))}
        with (tmp_path / "stdout").open("w") as stdout, (tmp_path / "stderr").open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, str(program), *arguments], env=inherited | variables, stdout=stdout, stderr=stderr
            )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def said(tmp_path):
    return lambda: [json.loads(line) for line in (tmp_path / "stderr").read_text("utf-8").splitlines()]


def events(lines):
    return [line["event"] for line in lines]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_gracefully(start, said, provisioned, number):
    process = start(QUIRE_NATS_URL=provisioned.url)
    await eventually(lambda: {"ready", "working"} <= set(events(said())))
    process.send_signal(number)
    assert process.wait(10) == Exit.OK
    stopped = said()[-1]
    assert (stopped["event"], stopped["reason"], stopped["service"]) == ("stopped", number.name, "echo")
    assert {line["version"] for line in said()} == {"1.2.3"}


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop has no build for Windows")
async def test_it_runs_on_uvloop(start, said, provisioned):
    start(QUIRE_NATS_URL=provisioned.url)
    await eventually(lambda: "working" in events(said()))
    assert next(line for line in said() if line["event"] == "working")["loop"] == "uvloop"


async def test_stdout_is_left_to_data(start, said, provisioned, tmp_path):
    process = start(QUIRE_NATS_URL=provisioned.url)
    await eventually(lambda: "ready" in events(said()))
    process.terminate()
    process.wait(10)
    assert (tmp_path / "stdout").read_text("utf-8") == ""


def test_invalid_settings_are_all_listed_and_nothing_starts(start, tmp_path):
    process = start(QUIRE_NATS_URL="localhost", QUIRE_ECHO_HEALTH_PORT="-1", QUIRE_ECHO_MOOD="good")
    assert process.wait(20) == Exit.SETTINGS
    text = (tmp_path / "stderr").read_text("utf-8")
    assert text.startswith("echo: 3 invalid setting(s)\n  QUIRE_ECHO_HEALTH_PORT: ")
    assert "QUIRE_ECHO_MOOD: no such setting" in text
    assert "QUIRE_NATS_URL: String should match pattern" in text


def test_settings_can_be_printed_without_their_secrets(start, tmp_path):
    process = start("print", "--redacted", QUIRE_ECHO_PASSWORD="s3cret", QUIRE_LOG_LEVEL="debug")
    assert process.wait(20) == Exit.OK
    lines = (tmp_path / "stdout").read_text("utf-8").splitlines()
    assert "QUIRE_ECHO_PASSWORD=********" in lines
    assert "QUIRE_ECHO_LOG_LEVEL=debug" in lines


def test_an_unknown_argument_is_refused_with_the_usage(start, tmp_path):
    assert start("serve").wait(20) == Exit.SETTINGS
    assert (tmp_path / "stderr").read_text("utf-8").startswith("usage: ")


def test_no_broker_has_its_own_exit_code(start, said):
    process = start(QUIRE_NATS_URL="nats://127.0.0.1:9", QUIRE_START_SECONDS="0.3")
    assert process.wait(20) == Exit.BROKER
    assert said()[-1]["reason"].startswith("the broker was not ready within 0.3 s")


def test_a_crash_has_its_own_exit_code_and_its_cause_in_the_log(start, said, provisioned):
    process = start(QUIRE_NATS_URL=provisioned.url, QUIRE_ECHO_MODE="crash")
    assert process.wait(20) == Exit.CRASH
    crash = next(line for line in said() if line["event"] == "crashed")
    assert crash["exception"][0]["exc_value"] == "boom"
    assert said()[-1]["reason"] == "RuntimeError: boom"


async def test_a_second_signal_does_not_wait_even_for_a_stuck_loop(start, said, provisioned):
    process = start(QUIRE_NATS_URL=provisioned.url, QUIRE_ECHO_MODE="hang", QUIRE_GRACEFUL_SECONDS="600")
    await eventually(lambda: "ready" in events(said()))
    process.terminate()
    await eventually(lambda: "stopping" in events(said()))
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == Exit.CRASH


async def test_a_stuck_loop_cannot_outlive_the_time_for_a_stop(start, said, provisioned):
    process = start(QUIRE_NATS_URL=provisioned.url, QUIRE_ECHO_MODE="hang", QUIRE_GRACEFUL_SECONDS="0")
    await eventually(lambda: "ready" in events(said()))
    process.terminate()
    assert process.wait(20) == Exit.CRASH
