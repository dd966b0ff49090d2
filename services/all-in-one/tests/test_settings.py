"""What the house tells each service."""

from pathlib import Path

import pytest

from quire_all_in_one.settings import Addresses, environ_of, environ_of_broker, read_plan

ADDRESSES = Addresses(nats_url="nats://127.0.0.1:1", http_port=2, health_ports={"ledger": 3})


@pytest.fixture
def plan(monkeypatch, tmp_path):
    def make(*arguments, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return read_plan(["--data-dir", str(tmp_path), *arguments])

    return make


def test_each_service_learns_where_things_are(plan, tmp_path):
    made = plan()
    assert environ_of("api", made, ADDRESSES)["QUIRE_API_PORT"] == "2"
    ledger = environ_of("ledger", made, ADDRESSES)
    assert ledger["QUIRE_NATS_URL"] == "nats://127.0.0.1:1"
    assert ledger["QUIRE_LEDGER_HEALTH_PORT"] == "3"
    assert ledger["QUIRE_LEDGER_DATABASE_URL"] == f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    assert "QUIRE_BATCHING_HEALTH_PORT" not in environ_of("batching", made, ADDRESSES)


def test_the_user_replaces_defaults_but_not_addresses(plan):
    made = plan(
        QUIRE_LOG_LEVEL="debug", QUIRE_LEDGER_DATABASE_URL="postgresql://there/db", QUIRE_NATS_URL="nats://away:1"
    )
    environ = environ_of("ledger", made, ADDRESSES)
    assert environ["QUIRE_LOG_LEVEL"] == "debug"
    assert environ["QUIRE_LEDGER_DATABASE_URL"] == "postgresql://there/db"
    assert environ["QUIRE_NATS_URL"] == "nats://127.0.0.1:1"


@pytest.mark.parametrize(("there_are", "its"), [(1, "1"), (2, "1"), (16, "8")])
def test_the_broker_works_on_half_of_the_cores_unless_the_user_says_how_many(plan, monkeypatch, there_are, its):
    monkeypatch.delenv("GOMAXPROCS", raising=False)
    monkeypatch.setattr("quire_all_in_one.settings.cores", lambda: there_are)
    environ = environ_of_broker(plan(QUIRE_LOG_LEVEL="debug"))
    assert (environ["GOMAXPROCS"], environ["QUIRE_LOG_LEVEL"]) == (its, "debug")
    assert environ_of_broker(plan(GOMAXPROCS="3"))["GOMAXPROCS"] == "3"


def test_logs_are_quiet_unless_asked_for(plan):
    assert environ_of("api", plan(), ADDRESSES)["QUIRE_LOG_LEVEL"] == "warning"
    assert environ_of("api", plan("--verbose"), ADDRESSES)["QUIRE_LOG_LEVEL"] == "info"


def test_a_relative_folder_is_made_absolute_because_children_may_live_elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert read_plan(["--data-dir", "here"]).data_dir == Path(tmp_path, "here")
