"""What a target would make of work, asked before the work is sent there: how large, how good, how long, how dear."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from quire_contracts.mitigation import Mitigation
from quire_contracts.value import BlobRef, Name, Seconds, Target, Text, Value

Share = Annotated[float, Meta(ge=0, le=1)]


class AppraiseWork(Value, frozen=True):
    """Work of one task that a gateway is to appraise at a target; nothing of it is run or paid for.

    `observables` and `shots` are as in `task.Task`; of the parameters only their number counts.
    """

    target: Target
    structure: BlobRef
    parameter_sets: Annotated[int, Meta(ge=1)]
    shots: Annotated[int, Meta(ge=1)] | None = None
    observables: BlobRef | None = None
    mitigation: Mitigation | None = None


class Appraisal(Value, frozen=True):
    """What a gateway says of a task with so many `parameter_sets` at a target, as its calibration and prices stand."""

    target: Target
    parameter_sets: Annotated[int, Meta(ge=1)]
    shots: int | None = None
    device: bool = False
    """It is hardware, or stands in for it with its noise; else it is an ideal simulator."""

    paid: bool = False
    """Work there may cost money, at another time or for other work if not for this one."""

    usd: Annotated[float, Meta(ge=0)] = 0.0
    """What the task costs at most: what would be reserved for it before it is submitted."""

    circuits: Annotated[int, Meta(ge=0)] = 0
    """That run, each with all of its shots: parameter sets times measurement bases times scales of noise."""

    qubits: Annotated[int, Meta(ge=0)] = 0
    depth: int | None = None
    two_qubit_gates: int | None = None
    """Of the largest circuit."""

    compiled: bool = False
    """Depth and gates are those of the circuit compiled for the target's gates and neighbours. Else the provider
    compiles, and they are lower bounds: any two qubits taken to be neighbours."""

    fidelity: Share | None = None
    """The chance that no two-qubit gate of the largest circuit and no reading of a qubit errs, by the medians of the
    calibration; an upper bound where the gates are a lower one. 1 of an ideal simulator."""

    calibration_id: Name = ""
    queued: int | None = None
    """Jobs that wait at the provider, where it says so."""

    wait_seconds: Seconds | None = None
    """In the house's own queue for the target, as batching reports it."""

    run_seconds: Seconds | None = None
    """What a batch takes there of late, as batching reports it."""

    expected_gain: float | None = None
    """By which share of the classical value the answer is expected to be better: what such jobs of the tenant gained of
    late; 0 where the classical answer is proven optimal. None without history, or without a classical answer."""

    possible_gain: float | None = None
    """The most that it can be better: the classical answer's gap to its proven bound."""

    worth: float | None = None
    """The expected gain, or without history the possible one, times the fidelity where that is known."""

    reason: Text = ""
    """Why there are no figures, where there are none."""

    said_at: datetime | None = None
    """When it was said, where it was not said of this very work but of equal work before, because no gateway answered
    in time now. None of what was said now."""
