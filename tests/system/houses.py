"""Quires with settings, Quires that reach an emulated cloud, and a look at a running one's processes from outside."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quire.embedded import Embedded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from quire_emulator.process import EmulatorProcess


@contextlib.contextmanager
def opened(folder: Path, environ: Mapping[str, str]) -> Iterator[Embedded]:
    """A Quire in one process with its data in the folder, started with this beside the test's own environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        with Embedded(data_dir=folder) as running:
            yield running


def gateway(**settings: object) -> dict[str, str]:
    """The environment of a gateway that looks at its provider's jobs often; settings by name."""
    often = {"poll_seconds": 0.05, "poll_most_seconds": 0.2}
    return {f"QUIRE_QUANTUM_GATEWAY_{name.upper()}": str(value) for name, value in {**often, **settings}.items()}


def ibm_gateway(cloud: EmulatorProcess, *backends: str, **settings: object) -> dict[str, str]:
    """As `gateway`, for backends of an emulated cloud's jobs API."""
    return gateway(ibm_backends=",".join(backends), ibm_api="jobs", ibm_url=f"{cloud.url}/ibm/v1", **settings)


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
