"""How this engine's functions are compiled: without the interpreter's lock, kept on disk, no operation re-ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_njit: Final[Any] = numba.njit  # whose stubs lack half of its options
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}


def entry(function: F) -> F:
    """A function that Python calls; compiled once per machine, kept beside the source or in numba's cache folder."""
    compiled: F = _njit(**_OPTIONS, cache=True)(function)
    return compiled


def part(function: F) -> F:
    """A function that only compiled ones call."""
    compiled: F = _njit(**_OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled
