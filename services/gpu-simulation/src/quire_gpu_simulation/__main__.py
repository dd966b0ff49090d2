"""The simulation plane's process."""

from __future__ import annotations

from importlib.metadata import version

from quire_gpu_simulation.handlers import build
from quire_gpu_simulation.settings import Settings
from quire_service import Service, run

SERVICE = Service(name="gpu-simulation", version=version("quire-gpu-simulation"), settings=Settings, build=build)


def main() -> None:
    """Run the service until it is told to stop."""
    run(SERVICE)


if __name__ == "__main__":
    main()
