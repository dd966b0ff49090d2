"""A loop as its job's record has it: what was prepared for it, and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_control_plane.tasks import preparation_of

if TYPE_CHECKING:
    from quire_contracts.preparation import Loop
    from quire_contracts.record import Checkpoint, JobRecord


def loop_of(record: JobRecord) -> Loop:
    """What preprocessing made of the job's loop, with the circuit that is in use.

    Raises:
        ValueError: if the job was prepared without a loop.
    """
    loop = preparation_of(record).loop
    if loop is None:
        raise ValueError(f"job {record.job_id} was prepared without a loop")
    return loop


def checkpoint_of(record: JobRecord) -> Checkpoint:
    """The loop's last checkpoint.

    Raises:
        ValueError: if the job has no loop.
    """
    if record.checkpoint is None:
        raise ValueError(f"job {record.job_id} has no loop")
    return record.checkpoint
