"""How much of the machine a simulation may take."""

from __future__ import annotations

from dataclasses import dataclass

from quire_gpu_simulation.chooser import Powers

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The plane's share of the machine.

    max_qubits, max_wide_qubits: see `chooser.Powers`.
    memory_mib: for the states and probabilities of everything that runs at the same time.
    threads: of one simulation on Aer, at least 1.
    compiled_circuits: compilations kept.
    mps_bond, mps_truncates: see `chooser.Powers`.
    """

    max_qubits: int = 24
    max_wide_qubits: int = 200
    memory_mib: int = 1024
    threads: int = 1
    compiled_circuits: int = 256
    mps_bond: int = 64
    mps_truncates: bool = False

    @property
    def memory_bytes(self) -> int:
        """`memory_mib` in bytes."""
        return self.memory_mib * _MIB

    def powers(self, *, engine: bool) -> Powers:
        """What the chooser may choose from, with the batched engine or without."""
        return Powers(
            max_qubits=self.max_qubits,
            max_wide_qubits=self.max_wide_qubits,
            memory_bytes=self.memory_bytes,
            engine=engine,
            mps_bond=self.mps_bond,
            mps_truncates=self.mps_truncates,
        )
