"""Quire from Python: submit a job, wait for it, read its answer.

::

    import quire

    with quire.Client("http://127.0.0.1:8080") as client:
        job = client.submit({"kind": "sample", "program": "...", "shots": 1000})
        print(job.id, job.result(timeout=60).counts)

A job lives in Quire, not in this process: `client.job(id)` finds it again from anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from quire.answer import Cost, JobView
    from quire.client import Client, Job
    from quire.errors import (
        CannotConnectError,
        ConflictError,
        InvalidDocumentError,
        JobCancelledError,
        JobFailedError,
        JobRejectedError,
        NotFoundError,
        QuireError,
        ServerError,
        StillRunningError,
    )
    from quire.events import Event

DEFAULT_URL: Final = "http://127.0.0.1:8080"
"""Where `quire up` puts the API unless it is told otherwise."""

JAEGER: Final = "http://127.0.0.1:16686"
"""Where Jaeger answers unless it is told otherwise."""

__all__ = [
    "DEFAULT_URL",
    "JAEGER",
    "CannotConnectError",
    "Client",
    "ConflictError",
    "Cost",
    "Event",
    "InvalidDocumentError",
    "Job",
    "JobCancelledError",
    "JobFailedError",
    "JobRejectedError",
    "JobView",
    "NotFoundError",
    "QuireError",
    "ServerError",
    "StillRunningError",
]

_HOME = {"Client": "client", "Job": "client", "JobView": "answer", "Cost": "answer", "Event": "events"}


def __getattr__(name: str) -> object:
    """Import on first use: the command line must not pay for the HTTP client before it needs it."""
    if name not in __all__:
        raise AttributeError(f"module 'quire' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"quire.{_HOME.get(name, 'errors')}"), name)
