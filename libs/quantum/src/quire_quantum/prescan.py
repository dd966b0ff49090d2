"""The first look at a program, linear and before any parser: what is refused here never reaches one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quire_quantum import limits
from quire_quantum.lexer import tokenize
from quire_quantum.rejection import ProgramRejected

if TYPE_CHECKING:
    from quire_quantum.lexer import Token

_INCLUDES: Final = ('"stdgates.inc"', '"qelib1.inc"')
_DYNAMIC: Final = "the program must not decide anything while it runs"
_REFUSED: Final = {
    "pragma": ("pragma-refused", "write the program without pragmas"),
    "cal": ("calibration-refused", "pulse-level control is not accepted; use gates"),
    "defcal": ("calibration-refused", "pulse-level control is not accepted; use gates"),
    "defcalgrammar": ("calibration-refused", "pulse-level control is not accepted; use gates"),
    "extern": ("extern-refused", "nothing outside of the program can be called"),
    "opaque": ("opaque-refused", "define the gate by other gates"),
    "while": ("control-flow", f"{_DYNAMIC}; use a `for` loop with constant bounds"),
    "switch": ("control-flow", _DYNAMIC),
    "break": ("control-flow", _DYNAMIC),
    "continue": ("control-flow", _DYNAMIC),
    "return": ("control-flow", _DYNAMIC),
    "end": ("control-flow", _DYNAMIC),
    "def": ("subroutine-refused", "use `gate` definitions instead of subroutines"),
    "array": ("type-refused", "use int, uint, float, angle or bool"),
    "complex": ("type-refused", "use int, uint, float, angle or bool"),
    "duration": ("timing-refused", "write the program without timing"),
    "stretch": ("timing-refused", "write the program without timing"),
    "delay": ("timing-refused", "write the program without timing"),
    "box": ("timing-refused", "write the program without timing"),
    "durationof": ("timing-refused", "write the program without timing"),
}
"""Keyword to code and hint. They are reserved words of OpenQASM 3, so no honest program uses one as a name; `end`,
`box` and other later words are ordinary names in OpenQASM 2 and are refused only where they start a statement."""

_OPENING: Final = {"(": ")", "[": "]", "{": "}"}
_CLOSING: Final = frozenset(_OPENING.values())
_STATEMENT_START: Final = frozenset(";{}")


def prescan(source: str | bytes) -> list[Token]:
    """Check what can be checked without parsing, and give the tokens.

    Refuses: more than 256 KiB, what is not UTF-8 or has a NUL, an include of anything but the two standard libraries,
    pragmas, calibrations, externs, opaque gates, subroutines, timing, `while` and other dynamic control flow, brackets
    that do not match or nest deeper than 64, a literal register size above the limit, and any use of physical qubits.

    Raises:
        ProgramRejected: at the first of these.
    """
    tokens = tokenize(_decode(source))
    check_tokens(tokens)
    return tokens


def check_tokens(tokens: list[Token], nesting: int = limits.NESTING) -> None:
    """What `prescan` checks of the tokens of a text or a skeleton, with brackets at most `nesting` deep.

    Raises:
        ProgramRejected: at the first that is refused.
    """
    _check_nesting(tokens, nesting)
    before = ";"
    for index, token in enumerate(tokens[:-1]):
        if token.kind == "pragma":
            raise _refusal("pragma", token.line)
        if token.kind == "physical":
            raise ProgramRejected(
                "physical-qubit", "the program names a physical qubit", hint="declare qubits", line=token.line
            )
        if token.kind == "name":
            if token.text in _REFUSED and before in _STATEMENT_START:
                raise _refusal(token.text, token.line)
            if token.text == "include" and (
                tokens[index + 1].text not in _INCLUDES or tokens[min(index + 2, len(tokens) - 1)].text != ";"
            ):
                raise ProgramRejected(
                    "include-refused",
                    "the program includes a file",
                    limit='only "stdgates.inc" and "qelib1.inc" can be included',
                    hint="write the definitions into the program",
                    line=token.line,
                )
            if token.text in ("qubit", "bit") and tokens[index + 1].text == "[":
                _check_size(tokens[index + 2], token)
        before = token.text


def _decode(source: str | bytes) -> str:
    try:
        raw = source.encode() if isinstance(source, str) else source
        text = source if isinstance(source, str) else source.decode()
    except UnicodeError:
        raise ProgramRejected("not-utf8", "the program is not UTF-8 text") from None
    if len(raw) > limits.PROGRAM_BYTES:
        raise ProgramRejected(
            "program-too-large",
            f"the program has {len(raw)} bytes",
            limit=f"{limits.PROGRAM_BYTES} bytes",
            hint="use loops and gate definitions for repeated parts",
        )
    if "\0" in text:
        raise ProgramRejected("nul", "the program contains a NUL character")
    return text


def _check_nesting(tokens: list[Token], most: int) -> None:
    open_brackets: list[str] = []
    for token in tokens:
        if token.kind != "sign":
            continue
        if token.text in _OPENING:
            open_brackets.append(_OPENING[token.text])
            if len(open_brackets) > most:
                raise ProgramRejected(
                    "nesting", "brackets are nested too deeply", limit=f"{most} levels", line=token.line
                )
        elif token.text in _CLOSING and (not open_brackets or open_brackets.pop() != token.text):
            raise ProgramRejected("syntax", "a bracket closes nothing", line=token.line)
    if open_brackets:
        raise ProgramRejected("syntax", "a bracket is never closed", line=tokens[-1].line)


def _check_size(size: Token, declaration: Token) -> None:
    if size.kind != "int":
        return
    most = limits.QUBITS if declaration.text == "qubit" else limits.BITS
    if int(size.text.replace("_", ""), 0 if size.text[:1] == "0" and not size.text.isdecimal() else 10) > most:
        raise ProgramRejected(
            "too-many-qubits" if declaration.text == "qubit" else "too-many-bits",
            f"the program declares too many {declaration.text}s",
            limit=f"{most}",
            line=declaration.line,
        )


def _refusal(word: str, line: int) -> ProgramRejected:
    code, hint = _REFUSED[word]
    return ProgramRejected(code, f"`{word}` is not accepted", hint=hint, line=line)
