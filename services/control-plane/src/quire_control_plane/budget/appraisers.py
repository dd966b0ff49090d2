"""Asking the gateways what they would make of work, and remembering which targets need no asking."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from quire_bus.errors import QueryFailed
from quire_contracts.appraisal import Appraisal, AppraiseWork
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from quire_bus.bus import Bus
    from quire_contracts.load import TargetLoad

SECONDS: Final = 3.0
"""A gateway that has to open a device for its answer takes seconds; a decision waits for it, once."""

_SIMULATOR: Final = "simulation"


@dataclass(slots=True)
class Appraisers:
    """One replica's memory of targets. Decisions read it in other threads: what it holds is replaced, never changed."""

    bus: Bus
    loads: Callable[[], Mapping[str, TargetLoad]]
    _plain: frozenset[str] = field(default_factory=frozenset)

    def plain(self, target: str) -> bool:
        """Whether a target is neither a device nor paid for: the batched simulator is not, others have said so."""
        return target.partition(":")[0] == _SIMULATOR or target in self._plain

    async def ask(self, questions: Sequence[AppraiseWork]) -> dict[AppraiseWork, Appraisal | None]:
        """What gateways say of each; None where none answers in time."""
        answers = await asyncio.gather(*map(self._ask, questions))
        return dict(zip(questions, answers, strict=True))

    async def _ask(self, question: AppraiseWork) -> Appraisal | None:
        target = question.target
        try:
            found = await self.bus.ask("quantum-gateway", "appraise", question, Appraisal, seconds=SECONDS)
        except QueryFailed as failed:
            # It is refused there before it is paid for: that is the gateway's to say, to the task itself.
            sets = question.parameter_sets
            return Appraisal(target=target, parameter_sets=sets, shots=question.shots, reason=failed.reason[:2_000])
        except QuireError:
            return None
        if not found.device and not found.paid:
            self._plain |= {target}
        load = self.loads().get(target)
        if load is None:
            return found
        return msgspec.structs.replace(found, wait_seconds=load.wait_seconds, run_seconds=load.batch_seconds)
