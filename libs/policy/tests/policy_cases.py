"""A task as the rules know it, and how busy a target is."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from quire_policy import Facts

MAIN = Facts(
    kind="sample",
    phase="main",
    priority="research",
    tenant="acme",
    project="default",
    qubits=2,
    shots=100,
    parameter_sets=1,
)


def with_(**changes: object) -> Facts:
    """The task `MAIN`, changed."""
    return msgspec.structs.replace(MAIN, **changes)


class Load(NamedTuple):
    """How busy a target is."""

    waiting: int = 0
    wait_seconds: float = 0.0
    error_rate: float = 0.0
