"""The plane's own state-vector engine: a structure compiled once, then run on whole sweeps."""

from typing import Final

BACKEND: Final = "quire-engine"
"""The engine's name in executions, whatever it runs on."""
