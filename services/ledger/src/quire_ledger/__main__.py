"""The ledger process."""

from importlib.metadata import version

from quire_ledger.handlers import build
from quire_ledger.settings import Settings
from quire_service import Service, run

SERVICE = Service(name="ledger", version=version("quire-ledger"), settings=Settings, build=build)


def main() -> None:
    """Run the service until it is told to stop."""
    run(SERVICE)


if __name__ == "__main__":
    main()
