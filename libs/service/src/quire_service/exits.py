"""Why a process ended, as an exit code that a supervisor can act on."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every service; the numbers follow sysexits.h.

    After `SETTINGS` a restart helps nobody; after `BROKER` and `CRASH` (a bug) a supervisor restarts with a pause.
    """

    OK = 0
    SETTINGS = 64
    BROKER = 69
    CRASH = 70
