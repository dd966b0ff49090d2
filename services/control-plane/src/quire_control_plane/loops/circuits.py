"""Which circuit a loop varies now, where it may vary several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quire_contracts.record import JobRecord, evolve
from quire_control_plane.tasks import preparation_of

if TYPE_CHECKING:
    from quire_contracts.preparation import Loop


def uses(record: JobRecord, circuit: int) -> JobRecord:
    """The record with the loop's circuit of that number in use: what is prepared is that circuit, for all who look.

    What gateways said of another one is dropped. The record of a loop of one circuit stays as it is.
    """
    prepared, checkpoint = preparation_of(record), record.checkpoint
    loop = prepared.loop
    if loop is None or checkpoint is None or not loop.circuits:
        return record
    its = loop.circuits[circuit]
    return evolve(
        record,
        checkpoint=msgspec.structs.replace(checkpoint, circuit=circuit),
        preparation=msgspec.structs.replace(
            prepared,
            structure=its.structure,
            estimate=its.estimate,
            loop=msgspec.structs.replace(loop, start_points=its.start_points, spectra=its.spectra, columns=its.columns),
        ),
        appraisals=record.appraisals if its.structure.sha256 == prepared.structure.sha256 else (),
    )


def alone(record: JobRecord) -> JobRecord:
    """The record with the circuit in use as the loop's only one: the others lost, and a record has little room."""
    prepared = preparation_of(record)
    if prepared.loop is None or not prepared.loop.circuits or prepared.loop.climbs:
        return record
    loop = msgspec.structs.replace(prepared.loop, circuits=())
    return evolve(record, preparation=msgspec.structs.replace(prepared, loop=loop))


def has_rivals(loop: Loop) -> bool:
    """Whether the pre-screen is to choose between circuits."""
    return bool(loop.circuits) and not loop.climbs


def step_of(loop: Loop, parameters: int) -> int | None:
    """The number of the climb's circuit with so many parameters; None where it has none."""
    sizes = [circuit.start_points.columns for circuit in loop.circuits]
    return sizes.index(parameters) if parameters in sizes else None
