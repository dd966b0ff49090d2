"""Every limit on program input in one table, each with its reason."""

from typing import Final

from quire_contracts import limits as wire

PROGRAM_BYTES: Final = wire.PROGRAM_BYTES
"""256 KiB: what a message may carry."""

TOKENS: Final = 150_000
"""Half a second of lexing and parsing (about 3 microseconds a token); 20,000 two-qubit gates have 140,000."""

NESTING: Final = 64
"""Open brackets of any kind, and depth of any expression: far above any real program, far below Python's stack."""

LITERAL_CHARACTERS: Final = 64
"""Of one number; longer ones say nothing more and cost quadratic time to convert."""

INTEGER: Final = 2**63
"""Bound on integer values at parse time."""

QUBITS: Final = wire.QUBITS
BITS: Final = 4_096
INPUTS: Final = wire.PARAMETERS

OPERATIONS: Final = 250_000
"""Gates after unrolling: about 2 s of parsing, 6 MB of canonical text."""

STATEMENTS: Final = 500_000
"""Statements worked out, loops counted as often as they run: about 2 s."""

ITERATIONS: Final = 100_000
"""Iterations of one loop, counting the loops around it."""

GATE_EXPANSION: Final = 1_000_000
"""Gates that one use of a defined gate may stand for."""

GATE_NESTING: Final = 64
"""Definitions inside of definitions."""

MODIFIER: Final = 64
"""Largest argument of pow, ctrl and negctrl, and largest number of controls together."""

CHILD_MEMORY_BYTES: Final = 1_500 * 2**20
CHILD_CPU_SECONDS: Final = 10
CHILD_WALL_SECONDS: Final = 15.0
CHILD_START_SECONDS: Final = 60.0
REPLY_BYTES: Final = 64 * 2**20
