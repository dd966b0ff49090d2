"""docker-compose.yml on a real engine: `just test-compose` starts it, runs this, and takes it down again."""

import asyncio
import json
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from quire_testing.waiting import eventually

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("QUIRE_COMPOSE") != "1", reason="no containers: QUIRE_COMPOSE=1 says that compose is up"
    ),
    pytest.mark.timeout(300),
]

ROOT = Path(__file__).resolve().parents[2]
API = "http://127.0.0.1:8080"
TRACES = "http://127.0.0.1:16686/api/traces"
ENDED = {"completed", "failed", "cancelled", "rejected"}
SERVICES = (
    "control-plane", "preprocessing", "batching", "quantum-gateway", "gpu-simulation", "aggregation", "ledger", "api",
)  # fmt: skip


def compose(*arguments):
    done = subprocess.run(["docker", "compose", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def kill(name):
    """End a service with signal 9 and wait until the restart policy has brought it back."""
    before = restarts(name)
    # The init process has one child, which is the service. The command may or may not outlive its own container.
    victim = "import os; os.kill(int(open('/proc/1/task/1/children').read()), 9)"
    subprocess.run(["docker", "compose", "exec", "-T", name, "python", "-c", victim], cwd=ROOT, check=False)  # noqa: ASYNC221
    await eventually(lambda: restarts(name) > before, within=30)


def restarts(name):
    (container,) = compose("ps", "--all", "--quiet", name).split()
    counted = subprocess.run(
        ["docker", "inspect", "--format", "{{.RestartCount}}", container], capture_output=True, text=True, check=True
    )
    return int(counted.stdout)


def call(path, body=None, base=API):
    request = urllib.request.Request(base + path, data=body, headers={"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return json.load(answer)


def submit(example, **changes):
    document = json.loads((ROOT / "examples" / example).read_text("utf-8")) | changes
    return call("/v1/jobs", json.dumps(document).encode())


async def ended(submitted, within=120.0):
    def look():
        try:
            job = call(f"/v1/jobs/{submitted['job_id']}")
        except OSError:  # the api may be the one that was killed
            return None
        return job if job["state"] in ENDED else None

    return await eventually(look, within=within)


def test_every_container_is_healthy_and_none_is_root():
    rows = [json.loads(line) for line in compose("ps", "--all", "--format", "json").splitlines()]
    health = {row["Service"]: row["Health"] or f"exit {row['ExitCode']}" for row in rows}
    assert {health[name] for name in (*SERVICES, "nats", "postgres")} == {"healthy"}
    assert health["provision"] == "exit 0"
    for name in SERVICES:
        assert compose("exec", "-T", name, "python", "-c", "import os; print(os.getuid())").strip() == "10001"


def test_a_container_can_write_nowhere_but_in_its_temporary_folder():
    program = "import os; print([path for path in ('/', '/app', '/tmp') if os.access(path, os.W_OK)])"
    assert compose("exec", "-T", "api", "python", "-c", program).strip() == "['/tmp']"


async def test_a_job_runs_through_all_and_is_one_trace():
    submitted = submit("bell.json")
    job = await ended(submitted)
    assert job["state"] == "completed"
    assert set(job["result"]["counts"][0]) == {"00", "11"}

    def whole():
        try:
            trace = call(f"/{submitted['trace_id']}", base=TRACES)["data"][0]
        except urllib.error.HTTPError:  # not a span of it has arrived
            return False
        names = {process["serviceName"] for process in trace["processes"].values()}
        return names >= set(SERVICES) - {"gpu-simulation"}

    await eventually(whole)


async def test_the_ledger_writes_to_postgresql():
    submitted = submit("bell.json")
    await ended(submitted)
    query = f"select state from jobs where job_id = '{submitted['job_id']}'"  # noqa: S608 - an id of our own
    program = ("psql", "-h", "/run/postgresql", "-U", "quire", "-d", "quire", "-Atc", query)
    await eventually(lambda: compose("exec", "-T", "postgres", *program).strip() == "completed")


async def test_everything_is_killed_once_and_the_job_ends_as_it_would_have():
    expected = await ended(submit("florentine-maxcut.json"))
    submitted = submit("florentine-maxcut.json", idempotency_key=os.urandom(8).hex())
    await eventually(lambda: len(call(f"/v1/jobs/{submitted['job_id']}")["rounds"]) >= 1, within=60)
    for name in SERVICES:
        await kill(name)
        await asyncio.to_thread(compose, "up", "--detach", "--wait", "--no-build", "--pull", "never", "--no-recreate")
    compose("kill", "nats")
    compose("up", "--detach", "--wait", "--no-build", "--pull", "never", "--no-recreate")
    job = await ended(submitted)
    assert job["state"] == "completed"
    assert (job["best"], job["quality"], job["rounds"]) == (expected["best"], expected["quality"], expected["rounds"])


def test_a_stop_is_graceful():
    compose("stop", *SERVICES)
    try:
        rows = [json.loads(line) for line in compose("ps", "--all", "--format", "json").splitlines()]
        assert {row["Service"]: row["ExitCode"] for row in rows if row["Service"] in SERVICES} == dict.fromkeys(
            SERVICES, 0
        )
    finally:
        compose("up", "--detach", "--wait", "--no-build", "--pull", "never", "--no-recreate")
