"""What can go wrong for a user of Quire, as a tree, and which exit code of the command line each branch has.

::

    QuireError                    1
    ├── InvalidDocumentError      3   the job document, or its program, cannot be accepted; `problems` says why
    │   └── JobRejectedError      3   the same, found after the submission was taken
    ├── ConflictError             3   the idempotency key names a job with other content
    ├── NotFoundError             3   no such job or dead letter
    ├── JobFailedError            1   the job ended without an answer; `fault` says why
    ├── JobCancelledError         1   the job was stopped on request or by its deadline
    ├── StillRunningError         6   the time to wait is over; the job goes on
    ├── CannotConnectError        7   nothing answers at the address
    └── ServerError               1   an answer that makes no sense, or Quire's own fault
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from quire_contracts.value import Fault, Problem


class QuireError(Exception):
    """Anything that Quire, or the way to it, refuses. `next_step` is what its user can do, perhaps empty."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, next_step: str = "") -> None:
        """Keep the message for people."""
        super().__init__(message)
        self.next_step = next_step


class InvalidDocumentError(QuireError):
    """A job document that cannot be accepted: every problem with its JSON pointer, reason, limit and hint."""

    exit_code = 3

    def __init__(self, message: str, problems: tuple[Problem, ...] = (), *, next_step: str = "") -> None:
        """Keep the problems in the order in which they were found."""
        super().__init__(message, next_step=next_step)
        self.problems = problems


class JobRejectedError(InvalidDocumentError):
    """A job that was taken and then found impossible: nothing ran, nothing was spent."""

    def __init__(self, job_id: str, reason: str, problems: tuple[Problem, ...] = (), *, next_step: str = "") -> None:
        """Name the job."""
        super().__init__(f"job {job_id} was rejected: {reason}", problems, next_step=next_step)
        self.job_id = job_id


class ConflictError(QuireError):
    """The idempotency key already names a job with other content; that job is untouched."""

    exit_code = 3


class NotFoundError(QuireError):
    """No such thing is known under this tenant."""

    exit_code = 3


class JobFailedError(QuireError):
    """A job that ended without an answer."""

    def __init__(self, job_id: str, reason: str, fault: Fault | None = None) -> None:
        """Name the job; `fault` carries the stable code and the next step."""
        super().__init__(f"job {job_id} failed: {reason}", next_step=fault.next_step if fault else "")
        self.job_id = job_id
        self.fault = fault


class JobCancelledError(QuireError):
    """A job that was stopped on request, or because its deadline came."""

    def __init__(self, job_id: str, reason: str) -> None:
        """Name the job."""
        super().__init__(f"job {job_id} was cancelled{': ' if reason else ''}{reason}")
        self.job_id = job_id


class StillRunningError(QuireError):
    """The time to wait is over. The job is not: it goes on, and can be waited for again."""

    exit_code = 6

    def __init__(self, job_id: str, state: str, seconds: float) -> None:
        """Name the job and the state it was last seen in."""
        super().__init__(
            f"job {job_id} is still {state} after {seconds:g} s",
            next_step=f"it goes on; wait again: quire watch {job_id}",
        )
        self.job_id = job_id
        self.state = state


class CannotConnectError(QuireError):
    """Nothing answers at the address, or the connection broke and did not come back."""

    exit_code = 7

    def __init__(self, message: str, *, next_step: str = "", reached: bool = True) -> None:
        """`reached` False says that nobody listens, so that asking again at once is of little use."""
        super().__init__(message, next_step=next_step)
        self.reached = reached


class ServerError(QuireError):
    """An answer outside of the contract, or an error on Quire's own side."""
