"""Where the command line speaks: data on stdout, everything for eyes on stderr, and an exit code for each ending."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup

from quire.errors import InvalidDocumentError, QuireError

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED: Final = 130
"""As a shell counts: 128 + SIGINT."""


def out() -> Console:
    """The console for answers (stdout)."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())


def err() -> Console:
    """The console for progress and complaints (stderr)."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, soft_wrap=not sys.stderr.isatty())


def program() -> str:
    """What to type for this command line: `quire` where the shell finds it, else the path it was started by."""
    started = sys.argv[0] or "quire"
    return "quire" if shutil.which("quire") or Path(started).name != "quire" else started


def counted(number: int, noun: str) -> str:
    """A number of things: `1 shot`, `2 shots`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def say(text: str) -> None:
    """One line for eyes."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - rich is not worth its import for a line


def print_json(data: Any) -> None:
    """One JSON value as data, on one line: easy for the next program, and `jq` sets it for people."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(data).decode() + "\n")
    sys.stdout.flush()


def complain(error: QuireError) -> None:
    """Say on stderr what went wrong, where in the document, and what to do."""
    say(f"quire: {error}")
    if isinstance(error, InvalidDocumentError):
        for problem in error.problems:
            limit = f" ({problem.limit})" if problem.limit else ""
            say(f"  {problem.pointer or '/'}: {problem.reason}{limit}")
            if problem.hint:
                say(f"      {problem.hint}")
    if error.next_step:
        say(f"  {error.next_step}")


class Commands(TyperGroup):
    """The group of all commands: the one place where errors become complaints and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; end with the error's exit code, or 130 where it was interrupted."""
        try:
            return super().invoke(ctx)
        except QuireError as error:
            complain(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            say("quire: interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # the reader of our output has had enough
            sys.stderr.close()
            raise typer.Exit(0) from None
