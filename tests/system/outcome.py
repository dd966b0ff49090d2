"""What of a job's answer must be the same whenever the same work is done: everything but times and ids."""

from __future__ import annotations

import msgspec

_CALLED = ("call", "certainty", "value", "classical", "bound", "success_probability", "tts99_shots", "answer")


def essence(view: object) -> dict[str, object]:
    """The comparable part of a job's view."""
    data = msgspec.to_builtins(view)
    executions = [(item["target"], item["phase"], item["shots"], item["parameter_sets"]) for item in data["executions"]]
    result = dict(data["result"] or {})
    result.pop("baseline_seconds", None)
    result.pop("method_seconds", None)
    if result.get("verdict"):  # its seconds, and what went wrong on the way, are other ones each time
        result["verdict"] = {name: result["verdict"][name] for name in _CALLED}
    return {
        "state": data["state"],
        "degraded": data["degraded"],
        "result": result,
        "shots": data["shots"],
        "executions": executions,
    }
