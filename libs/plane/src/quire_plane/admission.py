"""Whether an executor can take a piece of work, said before anything is compiled or run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from quire_quantum.executor import Capabilities, Work
    from quire_quantum.structure import Structure


def admit(work: Work, capabilities: Capabilities) -> None:
    """Return if the executor can take the work.

    Raises:
        Permanent: kind `invalid`, with a code that begins with `unsupported-`: the work is valid and this target is the
            wrong one for it, so that another target may be tried.
    """
    qubits = work.structure.num_qubits
    if qubits > capabilities.max_qubits:
        raise _unsupported(
            "width",
            f"the circuit has {qubits} qubits, {capabilities.target} takes {capabilities.max_qubits}",
            "Choose a wider target or a smaller circuit.",
        )
    if work.shots is None and not capabilities.exact:
        raise _unsupported(
            "exact",
            f"{capabilities.target} has noise and gives no exact values",
            "Ask for a precision above 0, or choose an ideal simulator.",
        )
    if work.shots is None and measures_early(work.structure):
        raise _unsupported(
            "circuit",
            "a circuit that measures before its end has no exact value",
            "Measure only at the end, or ask for a precision above 0.",
        )
    if work.shots is not None and capabilities.max_shots is not None and work.shots > capabilities.max_shots:
        raise _unsupported(
            "shots",
            f"{work.shots} shots were asked for, {capabilities.target} takes {capabilities.max_shots}",
            "Ask for fewer shots, or choose another target.",
        )
    if capabilities.max_rows is not None and work.rows > capabilities.max_rows:
        raise _unsupported(
            "rows",
            f"the batch has {work.rows} parameter sets, {capabilities.target} takes {capabilities.max_rows}",
            "Send fewer parameter sets at a time.",
        )
    reads = work.mitigation is not None and work.mitigation.readout is not None
    if (work.scales and not capabilities.folds) or ((reads or work.places) and not capabilities.places):
        raise _unsupported(
            "mitigation",
            f"{capabilities.target} does not run circuits as exactly as mitigation needs them",
            "Choose another target, or leave `mitigation` out.",
        )
    if work.mitigation is not None and (measures_early(work.structure) or resets(work.structure)):
        raise _unsupported(
            "mitigation",
            "a circuit that measures or resets midway cannot be mitigated: only its end is known to be read",
            "Leave `mitigation` out, or measure only at the end.",
        )
    if not capabilities.mid_circuit and (measures_early(work.structure) or resets(work.structure)):
        raise _unsupported(
            "circuit",
            f"{capabilities.target} measures only at the end of a circuit and does not reset qubits",
            "Choose a target with mid-circuit measurement.",
        )


def measures_early(structure: Structure) -> bool:
    """Whether anything but barriers follows a measurement on its qubit."""
    busy: set[int] = set()
    for operation in reversed(structure.operations):
        if operation.name == "measure" and operation.qubits[0] in busy:
            return True
        if operation.name != "barrier":
            busy.update(operation.qubits)
    return False


def resets(structure: Structure) -> bool:
    """Whether the circuit resets a qubit."""
    return any(operation.name == "reset" for operation in structure.operations)


def _unsupported(what: str, reason: str, next_step: str) -> Permanent:
    return Permanent(f"unsupported-{what}", reason, next_step=next_step, kind="invalid")
