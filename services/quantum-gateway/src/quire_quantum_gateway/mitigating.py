"""Mitigated batches at the gateway: what ran is valued, and how the target reads its qubits is measured when needed.

How qubits are read is measured by a batch of the gateway's own, named by target, calibration and qubits: it goes
through the journal like any other, so that it is paid for once by all gateways, and its answer is their shared memory.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from quire_plane.mitigation import described, needless, noted, unsupported, valued
from quire_plane.reading import Recent
from quire_quantum.counts import PackedCounts
from quire_quantum.executor import MemberOutcome, Outcome
from quire_quantum_gateway.catalog import Catalog, find
from quire_quantum_gateway.readout import Reading, matrices_of, reading_batch
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quire_bus.envelope import Meta
    from quire_contracts.batch import Batch, BatchExecuted
    from quire_contracts.control import Progress
    from quire_contracts.mitigation import Readout
    from quire_contracts.value import Value
    from quire_plane import Lanes, Perform
    from quire_plane.run import Blobs
    from quire_quantum.executor import Work
    from quire_quantum.observables import Grouping
    from quire_quantum_gateway.calls import Calls
    from quire_quantum_gateway.providers.error_table import Operation
    from quire_resilience.clock import Clock

T = TypeVar("T")

Measure = Callable[["Batch", tuple[int, ...]], Awaitable["BatchExecuted"]]
"""Runs a batch of the gateway's own on these qubits of its target, or gives its answer if it has run before."""

_LOG: Final = logging.getLogger("quire.gateway")
_DEVICES_KEPT: Final = 64
_LEAST_TOLD_APART: Final = 0.1
"""By how much more often a qubit must be read as 1 when it is in 1; below that its errors cannot be inverted."""

Facts = dict[str, str | int | float | bool | None]


class Nobody:
    """Who hears of the gateway's own batches: they belong to no job that anybody watches."""

    async def publish(self, message: Value, *, cause: Meta | None = None) -> None:
        """Say nothing."""

    async def progress(self, remark: Progress) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mitigating:
    """Takes noise out of what batches measured; for one event loop."""

    catalog: Catalog
    calls: Calls
    lanes: Lanes
    blobs: Blobs
    clock: Clock
    _known: Recent[dict[int, NDArray[np.float64]]] = field(default_factory=partial(Recent, _DEVICES_KEPT))

    async def mitigate(
        self, batch: Batch, measure: Measure, work: Work, perform: Perform, grouping: Grouping | None
    ) -> Outcome:
        """See `quire_plane.mitigation.Mitigate`.

        What ran may have been paid for: if its read-out errors cannot be had afterwards, it is valued without, and its
        execution says so.
        """
        provider, backend = find(self.catalog, batch.target)
        asking: Operation = "run" if provider.identity_mode(backend) == "forgetful" else "describe"
        capabilities, _ = await self.calls.call(batch.target, asking, partial(provider.capabilities, backend))
        if not capabilities.noisy:
            return await needless(work, perform, grouping)
        if work.observables and not work.reduced:
            raise unsupported("samples that are to be scored cannot be mitigated")
        outcome = await perform(work)
        if work.mitigation is None or work.mitigation.readout is None:
            return await self._off_loop(batch.target, partial(_mitigated, work, outcome, grouping, None))
        reading, facts = await self._reading(batch, measure, outcome, work.mitigation.readout)
        try:
            found = await self._off_loop(batch.target, partial(_mitigated, work, outcome, grouping, reading))
        except Exception as error:  # noqa: BLE001 - nor for whatever mthree finds wrong with it
            _LOG.exception("read-out errors of a batch of %s could not be taken out", batch.target)
            found = await self._off_loop(batch.target, partial(_mitigated, work, outcome, grouping, None))
            facts |= _unapplied(type(error).__name__)
        return noted(found, facts)

    async def _reading(
        self, batch: Batch, measure: Measure, outcome: Outcome, asked: Readout
    ) -> tuple[Reading | None, Facts]:
        """What takes errors of reading out of the outcome, and what to say of it; None where it cannot be had."""
        qubits = {qubit for circuit in outcome.read_from for qubit in circuit if qubit >= 0}
        if not qubits:
            return None, _unapplied("nobody knows any more which qubits were read")
        calibration_id = outcome.execution.calibration_id
        facts: Facts = {"readout_calibration": calibration_id}
        key = (batch.target, calibration_id, asked.shots)
        known = self._known.get(key) or self._known.put(key, {})
        missing = tuple(sorted(qubits - known.keys()))
        if missing:
            ours = reading_batch(calibration_id, missing, asked.shots, batch, self.clock.now())
            try:
                executed = await measure(ours, missing)
                known |= dict(zip(missing, await self._matrices(executed), strict=True))
            except Permanent as error:
                return None, _unapplied(error.code)
            facts |= {"readout_batch": ours.batch_id, "readout_calibration": executed.execution.calibration_id}
        return Reading(known, outcome.read_from), facts

    async def _matrices(self, executed: BatchExecuted) -> list[NDArray[np.float64]]:
        table = executed.results[0].counts
        if table is None:
            raise _useless("the target gave no counts")
        data = await self.blobs.get(table.data)
        found = matrices_of(PackedCounts.from_bytes(data, rows=table.rows, bits=table.bits))
        if any(matrix[1, 1] - matrix[1, 0] < _LEAST_TOLD_APART for matrix in found):
            raise _useless("a qubit reads the same whatever it is in")
        return found

    async def _off_loop(self, target: str, work: Callable[[], T]) -> T:
        """Done by a thread that is not the target's own, which other batches wait for."""
        found, _ = await self.lanes.run(f"mitigation {target}", work)
        return found


def _useless(reason: str) -> Permanent:
    return Permanent("readout-useless", reason, next_step="Leave `readout` out, or choose another target.")


def _unapplied(why: str) -> Facts:
    return {"readout_applied": False, "readout_why": why}


def _mitigated(work: Work, outcome: Outcome, grouping: Grouping | None, reading: Reading | None) -> Outcome:
    if work.observables:
        return (
            valued(work, outcome, grouping) if reading is None else valued(work, outcome, grouping, reading.expectation)
        )
    members = outcome.members
    if reading is not None:
        members = tuple(
            MemberOutcome(counts=reading.counts(each.counts)) if each.counts is not None else each for each in members
        )
    return noted(replace(outcome, members=members), described(work))
