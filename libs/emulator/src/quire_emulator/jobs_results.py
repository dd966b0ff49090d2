"""Results as Qiskit Runtime gives them: samples by classical register, for programs sent as text or as QPY."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from quire_emulator.circuits import CannotRunError

if TYPE_CHECKING:
    from quire_emulator.configuration import Noise
    from quire_emulator.gates import Array
    from quire_emulator.jobs import Job
    from quire_emulator.sampling import Sampler, Shots


class Pub(msgspec.Struct, frozen=True, array_like=True):
    """A program, its parameter values and its shots."""

    program: Any
    values: Any = None
    shots: int | None = None


class Items(msgspec.Struct, frozen=True):
    """A quantum program of the executor, as far as its size goes."""

    shots: int
    items: list[Any]


class Executed(msgspec.Struct, frozen=True):
    """What an executor job runs."""

    quantum_program: Items

    @property
    def total_shots(self) -> int:
        """Of all items, for one set of arguments each."""
        return self.quantum_program.shots * len(self.quantum_program.items)


class Params(msgspec.Struct, frozen=True):
    """What a sampler job runs; further fields are options of no concern here."""

    pubs: tuple[Pub, ...]
    shots: int | None = None
    version: int = 2
    support_qiskit: bool = False
    options: dict[str, Any] = {}

    def shots_of(self, pub: Pub) -> int:
        """The pub's own, or the job's, or 4096."""
        default = self.options.get("default_shots") or self.shots
        return pub.shots or (int(default) if default else 4096)

    @property
    def total_shots(self) -> int:
        """Of all pubs."""
        return sum(self.shots_of(pub) for pub in self.pubs)


PROGRAMS: Final[dict[str, type[Params | Executed]]] = {"sampler": Params, "executor": Executed}
"""What a job may run, and how its parameters are read; an order keeps the name as its `parameters`."""


def results(job: Job, noise: Noise, seed: int, sampler: Sampler, ended: float) -> tuple[bytes, int]:
    """The result document of a job, and how many of its pubs succeeded: a partial one ends after them.

    Raises:
        CannotRunError: a program cannot be run.
    """
    if job.order.parameters == "executor":
        from quire_emulator.executor_results import executor_results  # noqa: PLC0415 - seconds of imports

        return executor_results(job.order.body, noise, seed, ended), 1
    params = msgspec.json.decode(job.order.body, type=Params)
    good = max(1, round(len(params.pubs) * job.made.share)) if job.made.share < 1 else len(params.pubs)
    if params.support_qiskit:
        from quire_emulator.qiskit_results import qiskit_results  # noqa: PLC0415 - seconds of imports

        return qiskit_results(job.order.body, good, noise, seed), good
    found = []
    for number, pub in enumerate(params.pubs[:good]):
        if not isinstance(pub.program, str):
            raise CannotRunError("a program must be OpenQASM 3 text unless support_qiskit is true")
        count = params.shots_of(pub)
        shots = sampler.qiskit(pub.program, _inputs(pub), count, noise, seed + number)
        found.append({"data": _registers(shots), "metadata": {"circuit_metadata": {}}})
    return msgspec.json.encode({"results": found, "metadata": {"version": 2}}), good


def _inputs(pub: Pub) -> dict[str, float]:
    """Values by name, or in the order of the program's inputs."""
    values = pub.values
    if not values:
        return {}
    if isinstance(values, dict):
        return {name: float(value[0] if isinstance(value, list) else value) for name, value in values.items()}
    row = values[0] if isinstance(values[0], list) else values
    names = [
        line.split()[-1].rstrip(";") for line in str(pub.program).replace(";", ";\n").splitlines()
        if line.strip().startswith("input ")
    ]  # fmt: skip
    if len(names) != len(row):
        raise CannotRunError(f"{len(row)} values for {len(names)} inputs")
    return dict(zip(names, map(float, row), strict=True))


def _registers(shots: Shots) -> dict[str, dict[str, Any]]:
    """Each register's samples as hexadecimal numbers whose lowest bit is bit 0."""
    found = {}
    for name, size in shots.registers.items():
        values = numbers(shots, name)
        found[name or "meas"] = {"samples": [hex(value) for value in values], "num_bits": size}
    return found


def numbers(shots: Shots, register: str) -> list[int]:
    """A register's value of each shot; a bit that was never written is 0."""
    size = shots.registers[register]
    whole: Array = np.zeros((len(shots.matrix), max(size, 1)), np.uint8)
    for column, bit in enumerate(shots.bits):
        if bit.register == register:
            whole[:, bit.index] = shots.matrix[:, column]
    packed = np.packbits(whole, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
