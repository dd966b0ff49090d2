"""Looking at a running Quire's processes from outside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quire.embedded import Embedded


def pids(quire: Embedded, word: str) -> list[int]:
    """Processes below the supervisor whose command line holds a word."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                commands[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                parents[int(entry.name)] = int(status[1])
            except (FileNotFoundError, ProcessLookupError):
                continue

    def below(pid: int) -> bool:
        while pid in parents:
            if pid == quire.pid:
                return True
            pid = parents[pid]
        return False

    return [pid for pid, command in commands.items() if word in command and pid != quire.pid and below(pid)]
