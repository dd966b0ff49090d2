"""A service as a child: ready when it says so, heard line by line, ended in bounded time, never left behind."""

import asyncio
import io
import os
import signal
import sys
from pathlib import Path

import pytest

from quire_all_in_one.broker import free_port
from quire_all_in_one.process import Process
from quire_resilience.clock import SystemClock
from quire_service import Exit, ServiceFailed
from quire_testing import eventually

CHILD = """
import http.server, json, os, signal, sys
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        global asked
        asked += 1
        ready = asked > 2
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(json.dumps({"ready": ready, "faults": {} if ready else {"broker": "not yet"}}).encode())
if "STUBBORN" in os.environ:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("hello")
print("x" * 200_000, flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def start(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "broken.py").write_text("raise SystemExit(64)")
    output, processes = io.BytesIO(), []

    def begin(module="child", **environ):
        port = free_port()
        process = Process(
            "some-service",
            module,
            environ={**os.environ, "PYTHONPATH": str(tmp_path), "PORT": str(port), **environ},
            health_port=port,
            graceful_seconds=-5.5,  # with the slack: half a second
            clock=SystemClock(),
            output=output,
        )
        processes.append(process)
        return process, output

    yield begin
    for process in processes:
        if process.pid and Path(f"/proc/{process.pid}").exists():
            os.kill(process.pid, signal.SIGKILL)


async def test_it_is_started_when_it_says_that_it_is_ready(start):
    process, output = start()
    await process.started()
    assert await process.faults() == {}
    process.end(Exit.OK, "enough")
    assert (await process.ended()).exit is Exit.OK
    assert output.getvalue().startswith(b"some-service    | hello\nsome-service    | xxxx")
    assert output.getvalue().count(b"x") == 200_000


async def test_one_that_ends_first_has_failed(start):
    process, _ = start("broken")
    with pytest.raises(ServiceFailed, match="exit code 64"):
        await process.started()
    assert (await process.ended()).exit is Exit.SETTINGS


async def test_one_that_is_killed_says_by_what(start):
    process, _ = start()
    await process.started()
    os.kill(process.pid, signal.SIGKILL)
    ended = await process.ended()
    assert (ended.exit, ended.reason) == (Exit.CRASH, "killed by SIGKILL")


async def test_one_that_does_not_want_to_end_is_made_to(start):
    process, _ = start(STUBBORN="1")
    await process.started()
    process.end(Exit.OK, "enough")
    assert (await process.ended()).reason == "killed by SIGKILL"


@pytest.mark.skipif(sys.platform != "linux", reason="children die with their parent by a Linux system call")
async def test_it_ends_with_its_parent_however_that_ends(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    port = free_port()
    parent = f"""
import asyncio, os, sys
from quire_all_in_one.process import Process
from quire_resilience.clock import SystemClock
async def main():
    process = Process("s", "child", environ=dict(os.environ), health_port={port}, graceful_seconds=1,
                      clock=SystemClock(), output=sys.stderr.buffer)
    await process.started()
    print(process.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "PORT": str(port)}
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.DEVNULL}
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", parent, env=environ, **pipes)
    pid = int(await run.stdout.readline())
    run.kill()
    await run.wait()
    await eventually(lambda: not alive(pid))


def alive(pid):
    """Whether a process runs; one that is dead and not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
