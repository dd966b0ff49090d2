"""How this engine's functions are compiled: without interpreter lock and reference counts, and kept on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

_SOURCES: Final = (
    *("compiled", "draws", "encode", "evolve", "jit", "kernel"),
    *("layers", "moves", "phases", "tallies", "values", "vector"),
)

F = TypeVar("F", bound="Callable[..., Any]")

_njit: Final[Any] = numba.njit  # whose stubs lack half of its options
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "boundscheck": False, "error_model": "numpy", "_nrt": False}
"""Nothing is allocated in there; without reference counts a small state takes a fourth of the time."""


def entry(function: F) -> F:
    """A function that Python calls; compiled once per machine, kept beside the source or in numba's cache folder."""
    compiled: F = _njit(**_OPTIONS, cache=True)(function)
    return compiled


def part(function: F) -> F:
    """A function that only compiled ones call."""
    compiled: F = _njit(**_OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled


def digest() -> str:
    """Names the sources of all compiled functions: numba looks only at the entry's own file for a change."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / f"{name}.py").read_bytes() for name in _SOURCES)).hexdigest()
