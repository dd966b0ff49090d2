"""Which simulator runs a piece of work: the quickest of those that fit, by an estimate from its structure alone.

The estimate knows the structure, the shots and whether values are exact. It never knows how many parameter sets there
are, who shares the batch or how busy the machine is, so that the same work is always answered by the same simulator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from quire_gpu_simulation.facts import Facts

Method = Literal["engine", "statevector", "density_matrix", "stabilizer", "matrix_product_state"]

_AMPLITUDE: Final = 16
_ENGINE_AMPLITUDE: Final = 40
"""The engine's state, a second place that a permutation moves it to, and the state's probabilities."""

_AER_STATES: Final = 2
"""The state, and its probabilities twice for a moment: in the simulator's result and in ours."""


@dataclass(frozen=True, slots=True)
class Powers:
    """What the simulators here may use.

    max_qubits: the widest state vector.
    max_wide_qubits: the widest circuit for the simulators that do not keep 2**n amplitudes.
    memory_bytes: for states and probabilities of one piece of work.
    engine: whether the batched engine is there; without it everything is Aer's.
    mps_bond: the largest bond of a matrix product state.
    mps_truncates: whether a circuit that may need a larger bond runs all the same, its smallest parts cut off.
    """

    max_qubits: int
    max_wide_qubits: int
    memory_bytes: int
    engine: bool = True
    mps_bond: int = 64
    mps_truncates: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A simulator, the seconds that it is believed to need for a circuit, the memory for one at a time, and why."""

    method: Method
    seconds: float
    memory_bytes: int
    reason: str
    truncates: bool = False


def choose(facts: Facts, shots: int | None, powers: Powers) -> Choice:
    """The quickest simulator that can run the work and whose memory is there.

    Raises:
        Permanent: kind `invalid`, code `unsupported-width`, when none can.
    """
    options = [each for each in _options(facts, shots or 1, powers) if each.memory_bytes <= powers.memory_bytes]
    if not options:
        raise _too_wide(facts, powers)
    return min(options, key=lambda option: (option.truncates, option.seconds))


def _options(facts: Facts, shots: int, powers: Powers) -> list[Choice]:
    options: list[Choice] = []
    size, wide = 1 << facts.qubits, facts.qubits <= powers.max_wide_qubits
    shot_by_shot = facts.on_the_way or facts.wide_bits
    if facts.qubits <= powers.max_qubits:
        if facts.exact and facts.on_the_way:
            seconds = 2e-3 + facts.gates * size * size * 2e-9
            reason = "a reset's average is a density matrix"
            options.append(Choice("density_matrix", seconds, 2 * _AMPLITUDE * size * size, reason))
        else:
            runs = shots if facts.on_the_way else 1
            seconds = 2e-3 + 1e-5 * facts.gates + runs * facts.gates * size * 2e-9
            memory = _AER_STATES * _AMPLITUDE * size
            reason = "shots one by one" if facts.on_the_way else "more than 64 bits" if facts.wide_bits else "no engine"
            options.append(Choice("statevector", seconds, memory, reason))
        if powers.engine and not shot_by_shot:
            seconds = 2e-5 + facts.gates * size * 5e-10
            options.append(Choice("engine", seconds, _ENGINE_AMPLITUDE * size, "one pass for all rows"))
    if wide and facts.clifford and not (facts.exact and facts.on_the_way):
        seconds = 2e-3 + 1e-5 * facts.gates + shots * facts.qubits**2 * 1e-8
        options.append(Choice("stabilizer", seconds, facts.qubits**2, "Clifford gates alone"))
    elif wide and not (facts.exact and facts.on_the_way):
        held = any(each.method == "engine" and each.memory_bytes <= powers.memory_bytes for each in options)
        options += [] if held else _product_states(facts, shots, powers)
    return options


def _product_states(facts: Facts, shots: int, powers: Powers) -> list[Choice]:
    """A matrix product state: exact where no cut needs a bond above the largest, else cut off where that is allowed."""
    fits = 1 << facts.bond_bits <= powers.mps_bond
    if not fits and not powers.mps_truncates:
        return []
    bond = min(1 << facts.bond_bits, powers.mps_bond)
    runs = shots if facts.on_the_way else 1
    seconds = 2e-3 + runs * facts.gates * (1e-5 + bond**3 * 2e-8) + shots * facts.qubits * (2e-6 + bond**2 * 1e-8)
    memory = 4 * _AMPLITUDE * facts.qubits * bond**2
    reason = f"no cut needs a bond above {bond}" if fits else f"bonds above {bond} are cut off"
    return [Choice("matrix_product_state", seconds, memory, reason, truncates=not fits)]


def _too_wide(facts: Facts, powers: Powers) -> Permanent:
    tried = [f"a state vector holds up to {powers.max_qubits} qubits and {powers.memory_bytes >> 20} MiB"]
    if facts.exact and facts.on_the_way:
        tried = [f"an average over resets of {facts.qubits} qubits needs a density matrix that does not fit"]
    else:
        tried += [] if facts.clifford else ["it has gates that no stabilizer simulator knows"]
        if 1 << facts.bond_bits > powers.mps_bond:
            tried.append(f"it may need a bond of 2**{facts.bond_bits}, above {powers.mps_bond}")
    return Permanent(
        "unsupported-width",
        f"no simulator here can hold the circuit: {'; '.join(tried)}",
        next_step="Choose another target or a smaller circuit.",
        kind="invalid",
    )
