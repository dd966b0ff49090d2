"""What an emulated cloud is made of: its devices, prices, limits and habits, as one value read from a file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final, Literal

import msgspec

from quire_emulator.rules import Rule

ACCOUNT: Final = "123456789012"


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value with named fields; an unknown name in a file is a mistake, not a wish."""


class Maintenance(Frozen, frozen=True):
    """A device is away `after` seconds after the cloud was founded, for `lasts`; again each `every`, if positive."""

    after: float
    lasts: float
    every: float = 0.0

    def until(self, age: float) -> float | None:
        """The age of the cloud at which the window that covers `age` ends; None outside of any."""
        since = age - self.after
        if since < 0:
            return None
        begun = self.after + (since // self.every * self.every if self.every > 0 else 0.0)
        return begun + self.lasts if age < begun + self.lasts else None


class Noise(Frozen, frozen=True):
    """Error probabilities of one gate on one and on two qubits, and of reading one bit."""

    one_qubit: float = 0.0
    two_qubit: float = 0.0
    readout: float = 0.0


class Device(Frozen, frozen=True):
    """One device.

    Attributes:
        name: the last part of the ARN, or the name of the backend.
        api: "braket" is asked through the Braket API by `arn`; "jobs" through the jobs APIs by `name`.
        provider, layout: as the Braket API describes it; layout "all" or "grid".
        model: for the jobs API, the fake backend of qiskit-ibm-runtime whose configuration and properties are shown.
        qubits: how many it has. A job may use at most `circuits.MOST_QUBITS` of them.
        wait: least and most seconds in the queue, drawn evenly for each job.
        runs_at_once: jobs that run together; the others wait.
        job_seconds, shot_seconds: how long a run takes, beside its simulation.
        max_shots: more are refused.
        max_unfinished: more unfinished jobs are refused (402; jobs API: code 3458); 0 is no limit.
        creates_per_second: more are throttled; 0 is no limit.
        task_price, shot_price: in dollars.
        calibration_seconds: how often it is calibrated anew.
        drift: by which share error rates change, at most, from calibration to calibration.
        counts_only: answers with probabilities instead of shot by shot, as ion traps on Braket do.
        retired: still known by name, and gone for good.
    """

    name: str
    api: Literal["braket", "jobs"] = "braket"
    arn: str = ""
    provider: str = ""
    simulator: bool = False
    layout: Literal["all", "grid"] = "all"
    model: str = ""
    qubits: int = 20
    wait: tuple[float, float] = (0.0, 0.0)
    runs_at_once: int = 4
    job_seconds: float = 0.0
    shot_seconds: float = 0.0
    max_shots: int = 100_000
    max_unfinished: int = 0
    creates_per_second: float = 0.0
    task_price: float = 0.0
    shot_price: float = 0.0
    calibration_seconds: float = 3600.0
    drift: float = 0.1
    noise: Noise = Noise()
    maintenance: tuple[Maintenance, ...] = ()
    counts_only: bool = False
    retired: bool = False

    @property
    def key(self) -> str:
        """What callers name it by."""
        return self.arn or self.name

    def price(self, shots: int) -> float:
        """What a job of so many shots costs."""
        return self.task_price + self.shot_price * shots


class SpendingLimit(Frozen, frozen=True):
    """Jobs on `device` (an ARN) are refused once they would cost more than `amount` dollars in total."""

    device: str
    amount: float


class Configuration(Frozen, frozen=True):
    """One cloud.

    Attributes:
        seed: every draw follows from it: queue waits, faults, shots, drift.
        account: twelve digits.
        token_seconds: how long a client token is remembered.
        search_lag: seconds until a new job is found by a search; a get finds it at once.
        faults: armed from the beginning.
    """

    seed: int = 0
    account: str = ACCOUNT
    token_seconds: float = 86400.0
    search_lag: float = 0.0
    devices: tuple[Device, ...] = ()
    spending_limits: tuple[SpendingLimit, ...] = ()
    faults: tuple[Rule, ...] = ()


FORTE: Final = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"
GARNET: Final = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
SV1: Final = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"

DEVICES: Final = (
    Device(name="Forte-1", arn=FORTE, provider="IonQ", qubits=36, task_price=0.3, shot_price=0.08, counts_only=True),
    Device(
        name="Garnet", arn=GARNET, provider="IQM", qubits=20, layout="grid", max_shots=20_000, task_price=0.3,
        shot_price=0.00145,
    ),
    Device(name="SV1", arn=SV1, provider="Amazon Braket", qubits=34, simulator=True, runs_at_once=8),
    Device(name="ibm_manila", api="jobs", model="manila", qubits=5, shot_price=0.0005),
    Device(name="ibm_sherbrooke", api="jobs", model="sherbrooke", qubits=127, shot_price=0.0016),
)  # fmt: skip
"""What a cloud has when nothing else is said: real names and prices, no noise and no waiting."""


def read_configuration(path: Path | None) -> Configuration:
    """The cloud of a TOML file; without one, or without `devices` in it, that with `DEVICES`.

    Raises:
        ValueError: what is wrong with the file.
        OSError: it cannot be read.
    """
    found = Configuration()
    if path is not None:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Configuration)
    return found if found.devices else msgspec.structs.replace(found, devices=DEVICES)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The fault rules of a script: a TOML file with `[[faults]]`; raises as `read_configuration` does."""
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Configuration).faults
