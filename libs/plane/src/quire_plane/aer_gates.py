"""What Aer's runtime parameter binding can be trusted with; both planes compile ideal circuits to it.

Seen with qiskit-aer 0.18.2: `parameter_binds` leaves the parameters of cp, crx, cry and crz unbound without a word and
answers one row instead of all, and a free global phase makes the run fail. So ideal circuits are compiled to gates
without those four, the global phase is dropped (no result shows it), and whoever runs a circuit counts the rows. The
executors' tests run every gate of the canonical set with parameters of its own in each row.
"""

from typing import Final

IDEAL_BASIS: Final = (
    "id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "p", "u", "cx", "cy", "cz",
    "swap", "rxx", "ryy", "rzz", "ccx", "cswap", "reset", "measure",
)  # fmt: skip

ROW_STRIDE: Final = 2_113
"""Aer draws the random numbers of row r of a run from the run's seed and so many times r."""

BINDABLE: Final = frozenset({"rx", "ry", "rz", "p", "u", "u1", "u2", "u3", "rxx", "ryy", "rzz"})
"""Gates whose parameters are bound as they should; a circuit with others is bound row by row by Qiskit."""
