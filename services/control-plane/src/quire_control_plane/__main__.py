"""The control-plane process."""

from importlib.metadata import version

from quire_control_plane.handlers import build
from quire_control_plane.settings import Settings
from quire_service import Service, run

SERVICE = Service(name="control-plane", version=version("quire-control-plane"), settings=Settings, build=build)


def main() -> None:
    """Run the service until it is told to stop."""
    run(SERVICE)


if __name__ == "__main__":
    main()
