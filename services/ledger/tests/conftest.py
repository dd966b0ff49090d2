"""Databases to test on: SQLite always, PostgreSQL where its server is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from quire_ledger.database import create, open_engine

sys.path.append(str(Path(__file__).parent))  # --import-mode=importlib finds no neighbours: `ledger_lives` is one

_BIN = [*sorted(Path("/usr/lib/postgresql").glob("*/bin")), Path("/usr/local/bin"), Path("/usr/bin")]


def _postgres_programs():
    for folder in reversed(_BIN):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


@pytest.fixture(scope="session")
def postgres():
    """The URL of a PostgreSQL server of this test run; its server refuses to run as root, so it runs as `postgres`."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server here: install the package `postgresql` to run these tests on it")
    as_user = []
    if os.geteuid() == 0:
        unknown = subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode
        if shutil.which("runuser") is None or unknown:
            pytest.skip("running as root without a user `postgres`: PostgreSQL refuses to start")
        as_user = ["runuser", "-u", "postgres", "--"]
    data = Path(tempfile.mkdtemp(prefix="quire-postgres-"))
    if as_user:
        shutil.chown(data, "postgres", "postgres")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    def call(*command):
        subprocess.run([*as_user, *command], cwd="/", check=True, capture_output=True)

    call(programs / "initdb", "-D", data / "db", "-U", "quire", "-A", "trust", "--no-sync")
    settings = f"-p {port} -k {data} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=40"
    control = (programs / "pg_ctl", "-D", data / "db", "-l", data / "log", "-w")
    call(*control, "-o", settings, "start")
    yield f"postgresql://quire@127.0.0.1:{port}/postgres"
    call(*control, "-m", "immediate", "stop")
    shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """An empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.sqlite3"
        return
    server = request.getfixturevalue("postgres")
    name = f"ledger_{os.urandom(6).hex()}"
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def engine(database_url):
    engine = open_engine(database_url)
    await create(engine)
    yield engine
    await engine.dispose()
