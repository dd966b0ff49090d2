"""The syntax tree: what a program says, before anything is worked out."""

from __future__ import annotations

from typing import NamedTuple

# ------------------------------------------------------------------------------------------------ expressions


class Number(NamedTuple):
    """A literal; a boolean is 0 or 1."""

    value: int | float


class Name(NamedTuple):
    """A variable, constant or input."""

    name: str
    line: int


class Unary(NamedTuple):
    """`-`, `!` or `~` before an expression."""

    operator: str
    operand: Node
    line: int


class Chain(NamedTuple):
    """Operators of one precedence, worked out from left to right: `first op rest op rest ...`."""

    first: Node
    rest: tuple[tuple[str, Node], ...]
    line: int


class Function(NamedTuple):
    """A function or cast applied to arguments."""

    name: str
    arguments: tuple[Node, ...]
    line: int


class Mark(NamedTuple):
    """The number that a skeleton leaves open at this place; they count from 0 in the order of the text."""

    number: int


Node = Number | Name | Unary | Chain | Function | Mark


class Range(NamedTuple):
    """`start:stop` or `start:step:stop`, both ends included; None is an end left out."""

    start: Node | None
    step: Node | None
    stop: Node | None
    line: int


class Listing(NamedTuple):
    """`{a, b, c}`."""

    values: tuple[Node, ...]
    line: int


class Operand(NamedTuple):
    """Qubits or bits: a register, or what its indices choose one after the other."""

    name: str
    indices: tuple[Node | Range | Listing, ...]
    line: int


# ------------------------------------------------------------------------------------------------- statements


class Register(NamedTuple):
    """A declaration of qubits or bits; `size` None is a single one. `measured` fills new bits at once."""

    kind: str
    name: str
    size: Node | None
    measured: Operand | None
    line: int


class Input(NamedTuple):
    """A parameter of the program."""

    name: str
    line: int


class Assign(NamedTuple):
    """A classical number declared (`type` given) or changed. `operator` is "" for plain assignment."""

    type: str
    name: str
    operator: str
    value: Node | None
    line: int


class Alias(NamedTuple):
    """Another name for qubits or bits put after each other."""

    name: str
    parts: tuple[Operand, ...]
    line: int


class Modifier(NamedTuple):
    """`inv`, `pow`, `ctrl` or `negctrl`, with its argument if it has one."""

    name: str
    argument: Node | None


class Apply(NamedTuple):
    """A gate, or `gphase`, on operands; modifiers from left to right."""

    name: str
    arguments: tuple[Node, ...]
    modifiers: tuple[Modifier, ...]
    operands: tuple[Operand, ...]
    line: int


class Define(NamedTuple):
    """A gate definition; its body holds `Apply` alone."""

    name: str
    parameters: tuple[str, ...]
    qubits: tuple[str, ...]
    body: tuple[Apply, ...]
    line: int


class Measure(NamedTuple):
    """A measurement into bits."""

    source: Operand
    target: Operand
    line: int


class Reset(NamedTuple):
    """Qubits put back to zero."""

    operand: Operand
    line: int


class Barrier(NamedTuple):
    """No operand means every qubit."""

    operands: tuple[Operand, ...]
    line: int


class For(NamedTuple):
    """A loop over known integers."""

    name: str
    values: Range | Listing
    body: tuple[Statement, ...]
    line: int


class If(NamedTuple):
    """A choice that must be known before the program runs."""

    condition: Node
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    line: int


Statement = Register | Input | Assign | Alias | Apply | Define | Measure | Reset | Barrier | For | If


class Source(NamedTuple):
    """A whole program; `version` is 2 or 3."""

    version: int
    statements: tuple[Statement, ...]
