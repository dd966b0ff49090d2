"""The `main` of every service: settings, logs, one service in one event loop, signals, and the exit code."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from quire_resilience.clock import SystemClock
from quire_service import collecting, logs
from quire_service.composition import Service
from quire_service.exits import Exit
from quire_service.hosting import SLACK_SECONDS, Running, ServiceFailed
from quire_service.settings import ServiceSettings, SettingsError, load_settings, redacted

try:
    import uvloop
except ImportError:  # where uvloop has no build, as on Windows
    new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    new_event_loop = uvloop.new_event_loop

SIGNALS = (signal.SIGTERM, signal.SIGINT)
USAGE = "usage: python -m {module} [print --redacted]"


def run(service: Service[Any], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `service` until SIGTERM or SIGINT, and exit with one of `Exit`'s codes.

    `print --redacted` as arguments shows the settings that count, secrets hidden, instead. A second signal, or a stop
    that takes longer than `graceful_seconds` and a little, ends the process at once with code 70.
    """
    collecting.collect_rarely(SystemClock())
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments not in ([], ["print", "--redacted"]):
        _exit(Exit.SETTINGS, USAGE.format(module=service.settings.__module__.split(".")[0]))
    try:
        settings = load_settings(service.settings, service.name)
    except SettingsError as error:
        _exit(Exit.SETTINGS, str(error))
    if arguments:
        lines = (f"{variable}={value}" for variable, value in redacted(settings, service.name).items())
        sys.stdout.write("\n".join(lines) + "\n")
        sys.exit(Exit.OK)
    logs.configure(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        code = runner.run(_until_signalled(service, settings))
    sys.exit(code)


async def _until_signalled(service: Service[Any], settings: ServiceSettings) -> Exit:
    running = Running(service, settings)
    on_signals(lambda name: running.end(Exit.OK, name), settings.graceful_seconds + SLACK_SECONDS)
    with contextlib.suppress(ServiceFailed):
        await running.started()
        collecting.keep()
    return (await running.ended()).exit


def on_signals(stop: Callable[[str], None], limit_seconds: float) -> None:
    """Call `stop` with the name of the first SIGTERM or SIGINT; a second one, or the time limit after it, kills."""
    loop = asyncio.get_running_loop()

    def receive(name: str) -> None:
        # From here on without the loop, because the loop itself may be what hangs.
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, lambda *_: os._exit(Exit.CRASH))
        watchdog = threading.Timer(limit_seconds, os._exit, (Exit.CRASH,))
        watchdog.daemon = True
        watchdog.start()
        stop(name)

    for number in SIGNALS:
        loop.add_signal_handler(number, receive, number.name)


def _exit(code: Exit, words: str) -> NoReturn:
    sys.stderr.write(words + "\n")
    sys.exit(code)
