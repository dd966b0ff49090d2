"""Asks this container's service whether it is ready; standard library only, because it runs every few seconds."""

import os
import sys
from http.client import HTTPConnection, HTTPException

SECONDS = 3.0


def main() -> int:
    """0 when ready; otherwise 1, with the reason on stdout, where `docker inspect` shows it."""
    connection = HTTPConnection("127.0.0.1", int(os.environ["QUIRE_HEALTH_PORT"]), timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        sys.stdout.write(answer.read(4096).decode("utf-8", "replace"))
    except (OSError, HTTPException) as error:
        sys.stdout.write(f"{type(error).__name__}: {error}")
        return 1
    return 0 if answer.status == 200 else 1  # noqa: PLR2004 - HTTP


if __name__ == "__main__":
    sys.exit(main())
