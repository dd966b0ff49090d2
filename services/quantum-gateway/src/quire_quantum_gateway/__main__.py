"""The quantum gateway's process."""

from __future__ import annotations

from importlib.metadata import version

from quire_quantum_gateway.handlers import build
from quire_quantum_gateway.settings import Settings
from quire_service import Service, run

SERVICE = Service(name="quantum-gateway", version=version("quire-quantum-gateway"), settings=Settings, build=build)


def main() -> None:
    """Run the service until it is told to stop."""
    run(SERVICE)


if __name__ == "__main__":
    main()
