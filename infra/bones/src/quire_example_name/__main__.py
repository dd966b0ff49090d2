"""The example-name process."""

from importlib.metadata import version

from quire_example_name.handlers import build
from quire_example_name.settings import Settings
from quire_service import Service, run

SERVICE = Service(name="example-name", version=version("quire-example-name"), settings=Settings, build=build)


def main() -> None:
    """Run the service until it is told to stop."""
    run(SERVICE)


if __name__ == "__main__":
    main()
