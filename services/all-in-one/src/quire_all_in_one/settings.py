"""What the house is told on its command line and by its environment, and what it tells each service."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quire_service.cores import cores
from quire_service.settings import prefix_of


@dataclass(frozen=True, slots=True)
class Plan:
    """How to set the house up. A port of -1 takes any free one; `environ` is handed on to the services."""

    data_dir: Path
    nats_port: int
    http_port: int
    processes: bool
    verbose: bool
    with_parent: bool
    traces: Path | None
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the house listens on the loopback interface; health by service name, spans only where it collects them."""

    nats_url: str
    http_port: int
    health_ports: Mapping[str, int]
    traces_url: str = ""

    @property
    def http_url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.http_port}"


def read_plan(arguments: Sequence[str] | None = None) -> Plan:
    """The plan from the command line (the process's own by default) and the process environment.

    Raises:
        SystemExit: with code 2 for wrong usage.
    """
    parser = argparse.ArgumentParser(prog="quire-all-in-one", description="A whole Quire on this machine.")
    parser.add_argument(
        "--data-dir", type=Path, default=Path.home() / ".quire", help="where the log and ledger are kept"
    )
    parser.add_argument("--nats-port", type=int, default=4222, help="port of the broker; -1 takes any")
    parser.add_argument("--http-port", type=int, default=8080, help="port of the API; -1 takes any")
    parser.add_argument("--processes", action="store_true", help="one process for each service")
    parser.add_argument("--verbose", action="store_true", help="show the services' logs")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    parser.add_argument("--traces", type=Path, help="write traces here at the end; OTEL_* replaces it")
    given = vars(parser.parse_args(arguments))
    return Plan(**{**given, "data_dir": given["data_dir"].absolute()}, environ=dict(os.environ))


def has_collector(plan: Plan) -> bool:
    """Whether the user's environment already says where spans go."""
    return any(plan.environ.get(f"OTEL_EXPORTER_OTLP_{name}ENDPOINT") for name in ("", "TRACES_"))


def environ_of_broker(plan: Plan) -> dict[str, str]:
    """The environment of the embedded broker: it works on half of the cores, unless the user said another number.

    Its scheduler keeps looking for work on all that it may use, which slowed the services beside it on two cores: a
    loop's round took 7.2 ms, and 6.5 with one for the broker.
    """
    return {"GOMAXPROCS": str(max(1, cores() // 2)), **plan.environ}


def environ_of(service: str, plan: Plan, addresses: Addresses) -> dict[str, str]:
    """The environment of one service: the house's own, what the user set for the service, and where things are.

    The addresses are the house's to say; levels and limits are only defaults that the user's variables replace.
    """
    defaults = {"QUIRE_LOG_LEVEL": "info" if plan.verbose else "warning", "QUIRE_GRACEFUL_SECONDS": "5"}
    fixed = {"QUIRE_NATS_URL": addresses.nats_url}
    if service in addresses.health_ports:
        fixed[f"{prefix_of(service)}HEALTH_PORT"] = str(addresses.health_ports[service])
    if addresses.traces_url:
        fixed["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = addresses.traces_url
    if service == "api":
        fixed |= {"QUIRE_API_HOST": "127.0.0.1", "QUIRE_API_PORT": str(addresses.http_port)}
    if service == "ledger":
        defaults["QUIRE_LEDGER_DATABASE_URL"] = f"sqlite:///{plan.data_dir / 'ledger.sqlite'}"
    return {**defaults, **plan.environ, **fixed}
