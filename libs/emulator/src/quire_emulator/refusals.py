"""Why a cloud refuses, in its own words; each API says it in its language."""

from __future__ import annotations

from typing import Literal

Why = Literal[
    "offline",
    "retired",
    "throttled",
    "shots",
    "quota",
    "spending",
    "token",
    "invalid",
    "programs",
    "missing",
    "over",
    "fault",
]


class Refusal(Exception):
    """An order or a question that the cloud does not take.

    Args:
        why: the kind.
        message: for the caller.
        retry_after: seconds, for "throttled".
        status, code: of "fault", which is answered as the rule says.
        programs: for "programs": index and message of each program that is wrong.
    """

    def __init__(
        self,
        why: Why,
        message: str,
        *,
        retry_after: float = 0.0,
        status: int = 0,
        code: str = "",
        programs: tuple[tuple[int, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.why = why
        self.message = message
        self.retry_after = retry_after
        self.status = status
        self.code = code
        self.programs = programs


class Silence(Exception):
    """No answer; `answer` and `hold` as the fault's rule says."""

    def __init__(self, answer: str, hold: float) -> None:
        super().__init__(answer)
        self.answer = answer
        self.hold = hold
