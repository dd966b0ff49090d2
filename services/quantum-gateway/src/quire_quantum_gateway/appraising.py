"""What work would become at a target, and cost there: compiled as it would be, priced as it would be, and not run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_contracts.appraisal import Appraisal, AppraiseWork
from quire_plane.reading import Recent, invalid, read_observables, read_structure
from quire_quantum.executor import Member, Work, WorkError
from quire_quantum.observables import ObservableError
from quire_quantum.size import depth, two_qubit_gates
from quire_quantum_gateway.catalog import Catalog, find
from quire_quantum_gateway.limits import Postponed
from quire_quantum_gateway.providers.faults import Ambiguous
from quire_resilience.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_bus.router import Router
    from quire_contracts.calibration import DeviceFigures
    from quire_plane.run import Blobs
    from quire_quantum.structure import Structure
    from quire_quantum_gateway.calls import Calls
    from quire_quantum_gateway.providers.port import Provider
    from quire_resilience.clock import Clock

_KEPT: Final = 256
KNOWN_SECONDS: Final = 30.0
"""For so long the same question has the same answer: prices change by the day, calibrations by the hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraising:
    """Appraises work for whoever is to decide where it goes; for one event loop.

    What is compiled for it is kept like any compilation, so the work itself is not compiled again.
    """

    catalog: Catalog
    calls: Calls
    blobs: Blobs
    clock: Clock
    _known: Recent[tuple[float, Appraisal]] = field(default_factory=partial(Recent, _KEPT))

    async def appraise(self, question: AppraiseWork) -> Appraisal:
        """What the work would become at its target.

        Raises:
            Permanent: there is no such target, or the work can never run there.
            Transient: nobody can say now.
        """
        known = self._known.get(question)
        if known is not None and self.clock.monotonic() < known[0] + KNOWN_SECONDS:
            return known[1]
        provider, backend = find(self.catalog, question.target)
        forgetful = provider.identity_mode(backend) == "forgetful"
        work = await self._work(question)
        look = partial(_appraised, provider, backend, work, question, paid=not forgetful)
        try:
            found, _ = await self.calls.call(question.target, "describe", look)  # it waits for no run
        except Postponed as postponed:
            reason = f"{question.target} takes no calls now: {postponed}"
            raise Transient(reason, retry_after=postponed.retry_after, code=postponed.code) from postponed
        except Ambiguous as error:
            raise Transient(f"{question.target} gave no clear answer", code="target-unclear") from error
        except ObservableError as error:
            raise invalid(error) from error
        self._known.put(question, (self.clock.monotonic(), found))
        return found

    async def _work(self, question: AppraiseWork) -> Work:
        structure = read_structure(await self.blobs.get(question.structure))
        observed = await self.blobs.get(question.observables) if question.observables is not None else None
        member = Member(np.zeros((question.parameter_sets, structure.num_parameters)))
        observables, mitigation = read_observables(observed), question.mitigation
        try:
            return Work(structure, (member,), question.shots, observables, mitigation=mitigation)
        except WorkError as error:
            raise invalid(error) from error


def answering(made: Router, appraising: Appraising) -> None:
    """Answer the question on a router."""
    made.answer("appraise", AppraiseWork)(appraising.appraise)


def _appraised(provider: Provider, backend: str, work: Work, question: AppraiseWork, *, paid: bool) -> Appraisal:
    """In a thread: capabilities, compilation, price and calibration, as the provider has them."""
    capabilities = provider.capabilities(backend)
    circuits = work.circuits() if work.shots is not None else (work.structure,)
    device = not capabilities.simulator if paid else capabilities.noisy
    size = provider.size(backend, work) if device else None
    deep, gates = (size.depth, size.two_qubit_gates) if size is not None else _least(circuits)
    known, qubits = provider.snapshots().get(backend), work.structure.num_qubits
    return Appraisal(
        target=question.target,
        parameter_sets=question.parameter_sets,
        shots=question.shots,
        device=device,
        paid=paid,
        usd=provider.cost(backend, work).usd,
        circuits=work.rows * len(circuits) * max(1, len(work.scales)),
        qubits=qubits,
        depth=deep,
        two_qubit_gates=gates,
        compiled=size is not None,
        fidelity=fidelity_of(known.figures if known is not None else None, gates, qubits) if device else 1.0,
        calibration_id=known.calibration_id if known is not None else "none",
        queued=provider.window(backend).queued if paid else None,
    )


def fidelity_of(figures: DeviceFigures | None, gates: int, read: int) -> float | None:
    """(1 - e2)^gates (1 - er)^read, e2 and er the medians of two-qubit errors and of errors of reading.

    An estimated success probability (Nishio et al., arXiv:1903.10963) at the device's medians instead of at the qubits
    that are used. Errors of single-qubit gates and of idling are left out. None where the calibration names no e2.
    """
    if figures is None or figures.two_qubit_error is None:
        return None
    pairs, reading = 1.0 - min(1.0, figures.two_qubit_error), 1.0 - min(1.0, figures.readout_error or 0.0)
    return float(pairs**gates * reading**read)


def _least(circuits: Sequence[Structure]) -> tuple[int, int]:
    """Depth and gates at least, where nobody compiles here."""
    return max(map(depth, circuits)), max(map(two_qubit_gates, circuits))
