"""The aggregation process."""

from importlib.metadata import version

from quire_aggregation.handlers import build
from quire_aggregation.settings import Settings
from quire_service import Service, run

SERVICE = Service(name="aggregation", version=version("quire-aggregation"), settings=Settings, build=build)


def main() -> None:
    """Run the service until it is told to stop."""
    run(SERVICE)


if __name__ == "__main__":
    main()
