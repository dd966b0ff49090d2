"""What a routing decision looks at, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Appraised(Protocol):
    """What a gateway says of work at a target that is a device or may cost money.

    device: it is no ideal simulator. usd: what it costs at most. fidelity: the chance that it goes without an error.
    worth: by which share of the classical value the answer is expected to be better there, times the fidelity. None
    where nobody knows.
    """

    @property
    def device(self) -> bool: ...  # noqa: D102

    @property
    def usd(self) -> float: ...  # noqa: D102

    @property
    def fidelity(self) -> float | None: ...  # noqa: D102

    @property
    def worth(self) -> float | None: ...  # noqa: D102


class Facts(msgspec.Struct, frozen=True):
    """One piece of work, before it is sent anywhere.

    `targets` are the job's own, in its order; empty where it leaves the choice to the rules. `shots` None asks for
    exact values; `min_shots` is how few will do, None where no fewer will. `seeded` says that the job named its seed,
    so that it asks to be repeatable. `seconds_left` is the time to its deadline, None where it has none. `qubits` and
    `parameter_sets` are None while nobody has looked at the program yet; conditions on them then do not hold.
    `appraised` has what is known of targets that are devices or may cost money.
    """

    kind: str
    phase: str
    priority: str
    tenant: str
    project: str
    qubits: int | None
    shots: int | None
    parameter_sets: int | None
    targets: tuple[str, ...] = ()
    min_shots: int | None = None
    seeded: bool = False
    seconds_left: float | None = None
    appraised: Mapping[str, Appraised] = {}


class Load(Protocol):
    """How busy a target is: tasks that wait, what the next one can expect to wait, the share of failing batches."""

    @property
    def waiting(self) -> int: ...  # noqa: D102

    @property
    def wait_seconds(self) -> float: ...  # noqa: D102

    @property
    def error_rate(self) -> float: ...  # noqa: D102


class Route(msgspec.Struct, frozen=True):
    """Where work runs: `targets` in order of preference (never empty), the rules that matched, and why.

    `shots` is how many are to be run where that is fewer than were asked for, else None. `delay_seconds` is how long
    the work is held back before it is sent.
    """

    targets: tuple[str, ...]
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    shots: int | None = None
    delay_seconds: float = 0.0
