"""The executor of this plane: the batched engine where it can, Aer where it must, and the one checked by the other."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from opentelemetry.metrics import NoOpMeter

from quire_gpu_simulation.aer_executor import TARGET
from quire_gpu_simulation.chooser import choose
from quire_gpu_simulation.cross_check import compare, is_chosen
from quire_gpu_simulation.facts import facts_of
from quire_plane import admit
from quire_quantum.executor import Capabilities, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from opentelemetry.metrics import Meter

    from quire_gpu_simulation.aer_executor import AerExecutor
    from quire_gpu_simulation.budget import MemoryBudget
    from quire_gpu_simulation.chooser import Choice
    from quire_gpu_simulation.limits import Limits
    from quire_quantum.executor import Work
    from quire_quantum.structure import Structure

_LOG: Final = logging.getLogger("quire.gpu_simulation")
_KNOWN_CHOICES: Final = 1024
_CHECK_BYTES: Final = 64
"""A row's state and its probabilities, here and there, for each amplitude."""


class Engine(Protocol):
    """The batched engine."""

    @property
    def precision(self) -> str:
        """`double` or `single`."""
        ...

    def execute(self, work: Work) -> Outcome:
        """See `quire_quantum.executor.Executor.execute`; work that the chooser gave to the engine alone."""
        ...

    def probabilities(self, structure: Structure, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the basis states before the final measurements, float64 [rows, 2**qubits]."""
        ...

    def close(self) -> None:
        """Give its threads back."""
        ...


class SimulationExecutor:
    """Runs each piece of work on the simulator that `chooser.choose` names; see `quire_quantum.executor.Executor`.

    A share of the engine's batches is checked against Aer (`cross_check.compare`). One that differs is an alarm: it is
    logged as an error and counted, the whole batch runs again on Aer, whose answer is given, and the structure is kept
    off the engine for as long as the process lives. Thread-safe.

    engine: makes the engine when it is first needed; None where Aer is to do everything.
    rows_at_once: how many rows the engine has at work at the same time.
    share: of the batches that are checked, 0 to 1.
    """

    def __init__(
        self,
        engine: Callable[[], Engine] | None,
        aer: AerExecutor,
        limits: Limits,
        budget: MemoryBudget,
        *,
        rows_at_once: int = 1,
        share: float = 0.0,
        meter: Meter | None = None,
    ) -> None:
        self._make_engine = engine
        self._made: Engine | None = None
        self._making = Lock()
        self._rows_at_once = rows_at_once
        self._aer = aer
        self._limits = limits
        self._budget = budget
        self._share = share
        self._quarantined: set[str] = set()
        self._choices: OrderedDict[tuple[str, int | None, bool, bool], Choice] = OrderedDict()
        meter = meter or NoOpMeter("quire")
        self._batches = meter.create_counter("quire.simulation.batches", description="Batches by simulator.")
        self._checks = meter.create_counter(
            "quire.simulation.cross_checks", description="Batches run twice, by result."
        )

    @property
    def kept_off(self) -> tuple[str, ...]:
        """The structures that the engine was wrong about."""
        return tuple(sorted(self._quarantined))

    def capabilities(self) -> Capabilities:
        """A simulator with exact values; what a circuit of so many qubits may look like is the chooser's to say."""
        return self._aer.capabilities()

    def execute(self, work: Work) -> Outcome:
        """Run the batch; see the port.

        Raises:
            Permanent: kind `invalid`, code `unsupported-...`, when no simulator here can run the work.
        """
        admit(work, self.capabilities())
        kept_off = work.structure.sha256 in self._quarantined
        choice = self._choose(work, engine=self._make_engine is not None and not kept_off)
        if self._make_engine is None or choice.method != "engine":
            said = {"quarantined": True} if kept_off else {}
            return self._on_aer(work, choice, **said)
        engine = self._open(self._make_engine)
        self._batches.add(1, {"method": "engine"})
        memory = choice.memory_bytes * self._rows_at_once
        with self._budget.lease(memory, memory):
            outcome = engine.execute(work)
        if not is_chosen(work, self._share):
            return _with(outcome, why=choice.reason)
        with self._budget.lease(_CHECK_BYTES << work.structure.num_qubits, _CHECK_BYTES << work.structure.num_qubits):
            fault = compare(work, outcome, engine, self._aer, engine.precision)
        self._checks.add(1, {"result": "differs" if fault else "same"})
        if fault is None:
            return _with(outcome, why=choice.reason, cross_check="same")
        self._quarantined.add(work.structure.sha256)
        _LOG.error(
            "the engine's answer for structure %s differs from Aer's: %s; "
            "the batch runs again on Aer, and the structure is kept off the engine", work.structure.sha256, fault,
        )  # fmt: skip
        return self._on_aer(
            work, self._choose(work, engine=False), cross_check="differs", fault=fault, quarantined=True
        )

    def close(self) -> None:
        """Give all threads back."""
        self._aer.close()
        if self._made is not None:
            self._made.close()

    def _open(self, make: Callable[[], Engine]) -> Engine:
        with self._making:
            if self._made is None:
                self._made = make()
            return self._made

    def _on_aer(self, work: Work, choice: Choice, **said: str | bool) -> Outcome:
        self._batches.add(1, {"method": choice.method})
        with self._budget.lease(choice.memory_bytes, self._budget.total_bytes) as memory:
            return _with(self._aer.run(work, choice, memory), **said)

    def _choose(self, work: Work, *, engine: bool) -> Choice:
        """The simulator for this work; remembered, because a structure comes many times."""
        key = (work.structure.sha256, work.shots, bool(work.observables), engine)
        known = self._choices.get(key)
        if known is not None:
            return known
        facts = facts_of(work.structure, work.shots, observed=bool(work.observables))
        choice = self._choices[key] = choose(facts, work.shots, self._limits.powers(engine=engine))
        while len(self._choices) > _KNOWN_CHOICES:
            self._choices.popitem(last=False)
        return choice


def _with(outcome: Outcome, **said: str | bool) -> Outcome:
    """The outcome, with more facts in its execution's metadata."""
    metadata = {**outcome.execution.provider_metadata, **said}
    return Outcome(outcome.members, msgspec.structs.replace(outcome.execution, provider_metadata=metadata))


__all__ = ["TARGET", "Engine", "SimulationExecutor"]
