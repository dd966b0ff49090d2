"""The process of a whole Quire: open the house, say where it is, and close it when told to."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from importlib.metadata import version

import msgspec
from structlog.typing import FilteringBoundLogger

from quire_all_in_one.broker import HouseTaken
from quire_all_in_one.house import opened
from quire_all_in_one.settings import Plan, read_plan
from quire_bus.provision import ProvisionError
from quire_bus.server import ServerFailed
from quire_resilience.clock import SystemClock
from quire_service import Exit, ServiceFailed, SettingsError, collecting, logs
from quire_service.run import new_event_loop, on_signals

CLOSE_SECONDS = 25.0
"""After this long a stop is no longer orderly."""


def main() -> None:
    """Run a whole Quire until it is told to stop (SIGTERM, SIGINT, or the end of standard input)."""
    collecting.collect_rarely(SystemClock())
    plan = read_plan()
    logs.configure("info" if plan.verbose else "warning", "auto")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        sys.exit(runner.run(_live(plan)))


async def _live(plan: Plan) -> Exit:
    log = logs.logger_for("all-in-one", version("quire-all-in-one"))
    inhabited = asyncio.create_task(_inhabit(plan, log))
    stop = _once(inhabited.cancel)
    on_signals(lambda _: stop(), CLOSE_SECONDS)
    if plan.with_parent:
        loop = asyncio.get_running_loop()
        _at_end_of_input(lambda: loop.call_soon_threadsafe(stop))
    try:
        await inhabited
    except asyncio.CancelledError:
        return Exit.OK
    except SettingsError as error:
        return _fail(error, Exit.SETTINGS)
    except (HouseTaken, ServerFailed, ProvisionError) as error:
        return _fail(error, Exit.BROKER)
    except ServiceFailed as error:
        return _fail(error, error.ended.exit)
    return Exit.OK


async def _inhabit(plan: Plan, log: FilteringBoundLogger) -> None:
    """Live in an open house until cancelled, which closes it in order."""
    async with opened(plan, clock=SystemClock(), log=log) as house:
        collecting.keep()
        sys.stdout.write(msgspec.json.encode(house).decode() + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def _once(action: Callable[[], object]) -> Callable[[], None]:
    """The action at the first call only: a second cancellation would cut the closing short."""
    calls: list[Callable[[], object]] = [action]

    def act() -> None:
        if calls:
            calls.pop()()

    return act


def _at_end_of_input(act: Callable[[], object]) -> None:
    """Call `act` from a thread when standard input ends: whoever started this process is gone, however it went."""

    def read() -> None:
        # The bare descriptor: a buffered read would hold a lock that the interpreter wants at its end.
        while os.read(0, 1024):
            pass
        act()

    threading.Thread(target=read, daemon=True, name="end of input").start()


def _fail(error: Exception, code: Exit) -> Exit:
    sys.stderr.write(f"{error}\n")
    return code


if __name__ == "__main__":
    main()
