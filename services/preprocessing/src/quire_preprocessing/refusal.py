"""The refusal of a job that was understood: everything that is wrong with it, as its author must be told."""

from __future__ import annotations

from quire_contracts.value import Fault, Problem


class Refused(ValueError):
    """A job that cannot be prepared; the same document is refused again.

    code: stable and in kebab case, for machines.
    problems: at least one, in the order in which they were found.
    """

    def __init__(self, code: str, *problems: Problem) -> None:
        super().__init__("; ".join(f"{problem.pointer or '/'}: {problem.reason}" for problem in problems))
        self.code = code
        self.problems = problems

    @property
    def fault(self) -> Fault:
        """The first problem in one sentence, and what to do about it."""
        first = self.problems[0]
        return Fault(
            kind="invalid",
            code=self.code[:64],
            reason=f"{first.pointer or '/'}: {first.reason}"[:2_000],
            next_step=first.hint or "Change the document as its problems say, then submit it again.",
            retryable=False,
        )


def refuse(code: str, pointer: str, reason: str, *, limit: str | None = None, hint: str | None = None) -> Refused:
    """A refusal with one problem."""
    return Refused(code, Problem(pointer=pointer, reason=reason, limit=limit, hint=hint))
