"""Qiskit loaded on a thread that never ends, because its allocator belongs to the thread that loads it."""

from __future__ import annotations

import importlib
import sys
from threading import Event, Lock, Thread
from typing import Final

_LOADING: Final = Lock()


def settle() -> None:
    """Load Qiskit's native code, once in a process; to be called before Qiskit is imported on a thread that may end.

    Its allocator (mimalloc, as of Qiskit 2.6) keeps its main heap with the thread that loaded it: once that thread has
    ended, the next thread that makes a `Parameter` ends the process with a segmentation fault.
    """
    with _LOADING:
        if "qiskit" not in sys.modules:
            loaded = Event()
            Thread(target=_stay, args=(loaded,), name="qiskit-home", daemon=True).start()
            loaded.wait()


def _stay(loaded: Event) -> None:
    try:
        importlib.import_module("qiskit.circuit")
    finally:  # who needs it finds out why it cannot be imported
        loaded.set()
    Event().wait()
