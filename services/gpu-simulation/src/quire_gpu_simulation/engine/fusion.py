"""From a structure to few passes: gates gathered in stages, each as early as its qubits allow, and merged there.

Even stages hold one-qubit gates, which merge to one 2x2 for each qubit. Odd stages hold diagonal gates and maps of
basis states, which merge to one phase polynomial and one affine map over GF(2) (Amy, Maslov and Mosca,
arXiv:1303.2042): a parity of the bits after a map is a parity of the bits before it. Cost: linear in the gates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from quire_gpu_simulation.engine.compiled import Compiled, Layer, Pass
from quire_gpu_simulation.engine.merging import Angles, merged
from quire_gpu_simulation.engine.monomial import MonomialRun
from quire_gpu_simulation.engine.steps import One, Phase, Step, is_monomial, steps_of

if TYPE_CHECKING:
    from quire_quantum.structure import Structure

WORTH_A_PASS: Final = 4
"""So many qubits' z turns cost more inside of their 2x2s, which they make complex, than a pass of phases costs."""


def compile_structure(structure: Structure) -> Compiled:
    """The passes of a structure without measurements and resets; barriers are skipped.

    Raises:
        NotFusableError: for a measurement or a reset.
    """
    stages = _Stages([0] * structure.num_qubits)
    for operation in structure.operations:
        for step in steps_of(operation):
            stages.add(step)
    stages.settle()
    angles = Angles()
    start = Layer(merged(stages.ones.pop(0, {}), angles))
    passes: list[Pass] = []
    for number in range(1, stages.depth + 1):
        if number in stages.ones:
            gates = merged(stages.ones[number], angles)
            passes += [Layer(gates)] if gates else []
        elif number in stages.monomials:
            run = MonomialRun(structure.num_qubits, angles)
            for step in stages.monomials[number]:
                run.add(step)
            passes += run.passes()
    return Compiled(structure.num_qubits, structure.num_parameters, angles.all(), start, tuple(passes))


@dataclass
class _Stages:
    """Stages by number; `level` is each qubit's last."""

    level: list[int]
    ones: dict[int, dict[int, list[One]]] = field(default_factory=dict)
    monomials: dict[int, list[Step]] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """The last stage's number."""
        return max(self.ones.keys() | self.monomials.keys(), default=0)

    def add(self, step: Step) -> None:
        if isinstance(step, One):
            stage = self.level[step.qubit] + self.level[step.qubit] % 2
            self.ones.setdefault(stage, {}).setdefault(step.qubit, []).append(step)
            self.level[step.qubit] = stage
            return
        for qubit in step.qubits:
            self._release(qubit)
        stage = max(self.level[qubit] + 1 - self.level[qubit] % 2 for qubit in step.qubits)
        self.monomials.setdefault(stage, []).append(step)
        for qubit in step.qubits:
            self.level[qubit] = stage

    def settle(self) -> None:
        """Release what no gate follows, then take z turns out of 2x2s where that pays."""
        for qubit in range(len(self.level)):
            self._release(qubit)
        for stage in sorted(self.ones):
            if stage:
                self._strip(stage)

    def _release(self, qubit: int) -> None:
        """One-qubit gates after a monomial stage that are monomial themselves join it: one layer less."""
        stage = self.level[qubit]
        gates = self.ones.get(stage, {}).get(qubit)
        if not stage or not gates or not all(is_monomial(gate) for gate in gates):
            return
        del self.ones[stage][qubit]
        if not self.ones[stage]:
            del self.ones[stage]
        self.monomials.setdefault(stage - 1, []).extend(gates)
        self.level[qubit] = stage - 1

    def _strip(self, stage: int) -> None:
        """Z turns at the ends of a layer's runs join the monomial stages beside it: what is left is real or crossed."""
        cut = {qubit: _without_ends(gates) for qubit, gates in self.ones[stage].items()}
        for side, (number, at_end) in enumerate(((stage - 1, True), (stage + 1, False))):
            ends = [(qubit, parts[side * 2]) for qubit, parts in cut.items() if parts[side * 2]]
            beside = self.monomials.get(number, [])
            if len(ends) < WORTH_A_PASS and not (ends and any(isinstance(each, Phase) for each in beside)):
                continue
            taken: list[Step] = [gate for _, gates in ends for gate in gates]
            self.monomials[number] = [*beside, *taken] if at_end else [*taken, *beside]
            for qubit, gates in ends:
                kept = self.ones[stage][qubit]
                self.ones[stage][qubit] = kept[len(gates) :] if at_end else kept[: -len(gates)]


def _without_ends(gates: list[One]) -> tuple[list[One], list[One], list[One]]:
    """The z turns before all else, what stands between, and the z turns after it."""
    first = next((at for at, gate in enumerate(gates) if gate.axis != "z"), len(gates))
    last = next((at for at in range(len(gates), first, -1) if gates[at - 1].axis != "z"), first)
    return gates[:first], gates[first:last], gates[last:]
