"""How this engine's functions are compiled: without interpreter lock and reference counts, and kept on disk."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
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
_config: Final[Any] = numba.config  # whose names come from the environment
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "boundscheck": False, "error_model": "numpy", "_nrt": False}
"""Nothing is allocated in there; without reference counts a small state takes a fourth of the time."""


def entry(function: F) -> F:
    """A function that Python calls; compiled once per machine, and kept.

    Kept where `NUMBA_CACHE_DIR` says, else beside the source, else in the user's cache folder, else not at all.
    """
    use_read_only_cache()
    compiled: F
    try:
        compiled = _njit(**_OPTIONS, cache=True)(function)
    except RuntimeError:  # numba found no folder that it may write to
        compiled = _njit(**_OPTIONS)(function)
    return compiled


def use_read_only_cache() -> None:
    """Where `NUMBA_CACHE_DIR` is a filled folder that may only be read, as in a container, go on with a copy of it.

    Numba itself would take no notice of it, and compile everything anew.
    """
    folder = Path(_config.CACHE_DIR or os.devnull)
    if folder.is_dir() and not os.access(folder, os.W_OK):
        _config.CACHE_DIR = shutil.copytree(folder, tempfile.mkdtemp(prefix="numba-"), dirs_exist_ok=True)


def part(function: F) -> F:
    """A function that only compiled ones call."""
    compiled: F = _njit(**_OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled


def digest() -> str:
    """Names the sources of all compiled functions: numba looks only at the entry's own file for a change."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / f"{name}.py").read_bytes() for name in _SOURCES)).hexdigest()
