"""Laws of images and compose that hold without an engine; `just compose-up` shows the rest."""

import importlib
import os
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from quire_bus.server import binary
from quire_service import load_settings

FOREIGN = {"nats", "postgres", "jaeger"}


@pytest.fixture
def compose(root):
    return yaml.safe_load((root / "docker-compose.yml").read_text("utf-8"))


@pytest.fixture
def ours(compose):
    return {name: service for name, service in compose["services"].items() if name not in FOREIGN}


@pytest.fixture
def dockerfile(root):
    return (root / "infra" / "docker" / "Dockerfile").read_text("utf-8")


def test_the_compose_file_follows_its_specification(root):
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_every_service_has_its_container(compose, services):
    names = {service.folder.name for service in services} - {"all-in-one"}
    assert set(compose["services"]) == names | FOREIGN | {"provision"}


def test_every_container_may_do_as_little_as_possible(compose):
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name


def test_only_this_machine_reaches_what_is_published(compose):
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_everything_waits_for_what_it_needs(ours):
    for name, service in ours.items():
        waits = {other: each["condition"] for other, each in service["depends_on"].items()}
        if name == "provision":
            assert waits == {"nats": "service_healthy"}
        else:
            assert waits["provision"] == "service_completed_successfully", name
    assert ours["ledger"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_an_image_is_built_by_the_one_recipe_for_the_service_it_is_named_after(ours):
    for name, service in ours.items():
        built = service["build"]
        assert built["dockerfile"] == "infra/docker/Dockerfile"
        assert built["args"]["SERVICE"] == (name if name != "provision" else "control-plane")
        assert service["image"] == f"quire/{built['args']['SERVICE']}:${{QUIRE_TAG:-latest}}"


def test_a_stop_is_given_the_time_it_may_take(ours):
    for name, service in ours.items():
        assert float(service["stop_grace_period"].removesuffix("s")) > 15 + 6, name


def test_every_variable_is_a_setting_of_its_service(ours):
    """Loaded as the service itself would: a wrong name or value is a fault."""
    for name, service in ours.items():
        if name == "provision":
            continue
        environ = {key: _interpolated(str(value)) for key, value in service["environment"].items()}
        main = importlib.import_module(f"quire_{name.replace('-', '_')}.__main__")
        settings = load_settings(main.SERVICE.settings, name, environ)
        assert settings.nats_url == "nats://nats:4222"
        assert settings.otlp_endpoint == "http://jaeger:4318/v1/traces"
        assert set(environ) <= _known(settings, name), name


def _interpolated(value):
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def _known(settings, name):
    fields = {field.upper() for field in type(settings).model_fields}
    own = {f"QUIRE_{name.upper().replace('-', '_')}_{field}" for field in fields}
    return own | {f"QUIRE_{field}" for field in fields} | {"OTEL_EXPORTER_OTLP_ENDPOINT"}


def test_the_broker_accepts_its_configuration(root, tmp_path):
    config = (root / "infra" / "nats" / "nats.conf").read_text("utf-8").replace("/data", str(tmp_path))
    (tmp_path / "nats.conf").write_text(config, encoding="utf-8")
    checked = subprocess.run(
        [binary(), "-t", "-c", tmp_path / "nats.conf"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


LEAST_LOG_BYTES = 8 * 2**30
"""Room for the log, which has no limit of its own."""


def test_the_broker_has_room_for_what_the_topology_reserves(root):
    from quire_contracts.topology import BUCKETS, OBJECTS, STREAMS

    reserved = sum(each.max_bytes or LEAST_LOG_BYTES for each in (*BUCKETS, *STREAMS, OBJECTS))
    (room,) = re.findall(r"max_file_store: (\d+)GB", (root / "infra" / "nats" / "nats.conf").read_text("utf-8"))
    assert int(room) * 2**30 >= reserved


def test_the_recipe_runs_without_root_and_says_whether_it_is_ready(dockerfile):
    last = dockerfile[dockerfile.rindex("FROM ") :]
    assert re.search(r"^USER \d+:\d+$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    assert re.search(r'^ENTRYPOINT \["', last, re.MULTILINE)
    assert not dockerfile.startswith("# syntax")


def test_the_recipe_copies_what_is_there_and_not_ignored(root, dockerfile):
    ignore = (root / "infra" / "docker" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    kept = [line[1:].split("/")[0] for line in ignore if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE):
        source = shlex.split(line)[0].replace("${SERVICE}", "api")
        assert (root / source).exists(), line
        assert source.split("/")[0] in kept, line


def test_the_probe_needs_the_standard_library_alone(root):
    """It runs isolated, so that a readiness check costs no start of the whole service."""
    probe = root / "infra" / "docker" / "probe.py"
    asked = subprocess.run(
        [sys.executable, "-I", "-S", probe],
        env={"PATH": os.environ["PATH"], "QUIRE_HEALTH_PORT": "9"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (asked.returncode, asked.stdout.split(":")[0]) == (1, "ConnectionRefusedError")
