"""What of a job's answer must be the same whenever the same work is done: everything but times and ids."""

from __future__ import annotations

import msgspec


def essence(view: object) -> dict[str, object]:
    """The comparable part of a job's view."""
    data = msgspec.to_builtins(view)
    executions = [(item["target"], item["phase"], item["shots"], item["parameter_sets"]) for item in data["executions"]]
    result = dict(data["result"] or {})
    result.pop("baseline_seconds", None)
    return {
        "state": data["state"],
        "degraded": data["degraded"],
        "result": result,
        "shots": data["shots"],
        "executions": executions,
    }
