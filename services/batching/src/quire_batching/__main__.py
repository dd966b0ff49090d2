"""The batching process."""

from importlib.metadata import version

from quire_batching.handlers import build
from quire_batching.settings import Settings
from quire_service import Service, run

SERVICE = Service(name="batching", version=version("quire-batching"), settings=Settings, build=build)


def main() -> None:
    """Run the service until it is told to stop."""
    run(SERVICE)


if __name__ == "__main__":
    main()
