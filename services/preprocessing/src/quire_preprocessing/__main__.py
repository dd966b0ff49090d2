"""The preprocessing process."""

from importlib.metadata import version

from quire_preprocessing.handlers import build
from quire_preprocessing.settings import Settings
from quire_service import Service, run

SERVICE = Service(name="preprocessing", version=version("quire-preprocessing"), settings=Settings, build=build)


def main() -> None:
    """Run the service until it is told to stop."""
    run(SERVICE)


if __name__ == "__main__":
    main()
