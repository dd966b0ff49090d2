"""Ports for what is killed and started again on the same one: nobody else may have it meanwhile."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator
from pathlib import Path

LOWEST, FEWEST = 10_000, 10_000
OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def first_outgoing() -> int:
    """From where on the kernel takes ports for outgoing connections."""
    try:
        return int(OUTGOING.read_text("ascii").split()[0])
    except OSError:
        return 32_768


def free_port() -> int:
    """A port of the loopback interface that nobody has, never the same twice.

    The kernel's own choice (port 0) is of those that it also gives to outgoing connections, one of which can take it
    before it is listened on, or while its owner is down: even one to that owner, which then connects to itself.
    """
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("there is no port left")


def _ports() -> Iterator[int]:
    """From a place of its own for each run, so that several runs on one machine seldom ask for the same."""
    span = max(first_outgoing() - LOWEST, FEWEST)
    first = random.SystemRandom().randrange(span)
    return (LOWEST + (first + step) % span for step in range(span))


_PORTS = _ports()
