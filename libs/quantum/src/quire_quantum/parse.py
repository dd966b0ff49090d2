"""A program's text to its structure and angle program; to be run in the bounded child of `sandbox`."""

from __future__ import annotations

from quire_quantum.grammar import parse_source
from quire_quantum.lift import Program, lift
from quire_quantum.prescan import prescan
from quire_quantum.rejection import ProgramRejected
from quire_quantum.structure import StructureError
from quire_quantum.unroll import unroll


def parse_program(source: str | bytes) -> Program:
    """Parse OpenQASM 3 or 2.

    Loops are unrolled, gates expanded to the canonical set, angles lifted as `lift.lift` says. Deterministic. A
    parameter set's numbers stand in the order in which the program declares its inputs.

    Raises:
        ProgramRejected: whatever is wrong with the program.
    """
    try:
        unrolled = unroll(parse_source(prescan(source)))
        return lift(unrolled.steps, num_qubits=unrolled.num_qubits, num_bits=unrolled.num_bits, inputs=unrolled.inputs)
    except RecursionError:
        raise ProgramRejected("nesting", "the program is nested too deeply") from None
    except StructureError as error:
        raise ProgramRejected("structure", str(error)) from None
