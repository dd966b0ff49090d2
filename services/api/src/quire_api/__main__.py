"""The api process."""

from importlib.metadata import version

from quire_api.handlers import build
from quire_api.settings import Settings
from quire_service import Service, run

SERVICE = Service(name="api", version=version("quire-api"), settings=Settings, build=build)


def main() -> None:
    """Run the service until it is told to stop."""
    run(SERVICE)


if __name__ == "__main__":
    main()
