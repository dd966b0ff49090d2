"""`python -m quire_emulator`: run a cloud until it is interrupted; the first line on stdout says where it is."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import msgspec

from quire_emulator.configuration import read_configuration, read_rules
from quire_emulator.server import serve
from quire_resilience.clock import SystemClock

try:
    import uvloop
except ImportError:  # where uvloop has no build, as on Windows
    new_event_loop = asyncio.new_event_loop
else:
    new_event_loop = uvloop.new_event_loop


def main() -> None:
    """Read the arguments, serve, and say where in one line of JSON."""
    parser = argparse.ArgumentParser(prog="quire-emulator", description="A quantum cloud on loopback.")
    parser.add_argument("--data-dir", type=Path, required=True, help="Where its ledger and results lie.")
    parser.add_argument("--port", type=int, default=0, help="0 takes any that is free.")
    parser.add_argument(
        "--config", type=Path, help="A TOML file: seed, devices, limits; see quire_emulator.configuration."
    )
    parser.add_argument("--script", type=Path, help="A TOML file with [[faults]], armed when the cloud is founded.")
    parser.add_argument("--seed", type=int, help="Another seed than the configuration's.")
    parser.add_argument("--with-parent", action="store_true", help="End when stdin ends.")
    arguments = parser.parse_args()
    try:
        configuration = read_configuration(arguments.config)
        if arguments.script:
            faults = (*configuration.faults, *read_rules(arguments.script))
            configuration = msgspec.structs.replace(configuration, faults=faults)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if arguments.seed is not None:
        configuration = msgspec.structs.replace(configuration, seed=arguments.seed)
    if arguments.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()

    def ready(url: str) -> None:
        sys.stdout.write(msgspec.json.encode({"url": url, "pid": os.getpid()}).decode() + "\n")
        sys.stdout.flush()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(configuration, arguments.data_dir, SystemClock(), port=arguments.port, ready=ready))


def _end_with_parent() -> None:
    """The parent holds the other end of stdin; its death closes it."""
    while os.read(sys.stdin.fileno(), 4096):  # unbuffered: a lock would outlive the interpreter
        pass
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    main()
