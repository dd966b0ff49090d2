"""What must not outlive the harness, however that ends."""

from __future__ import annotations

import ctypes
import signal
import sys

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Between fork and exec on Linux: be killed when the thread that started this process is gone."""
    if _LIBC is not None:
        _LIBC.prctl(1, signal.SIGKILL)
