"""How tests steer a cloud and look behind it: faults, the ledger's report, all jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from quire_emulator.http import Answer
from quire_emulator.ledger import check, read
from quire_emulator.rules import Rule

if TYPE_CHECKING:
    from pathlib import Path

    from quire_emulator.cloud import Cloud
    from quire_emulator.http import Request
    from quire_resilience.clock import Clock


class ControlApi:
    """The calls below `/control`.

    GET health; GET, POST (a rule, or a list) and DELETE faults, DELETE faults/<id>; GET report?prefix=<tag prefix>;
    GET ledger; GET jobs.
    """

    def __init__(self, cloud: Cloud, clock: Clock, folder: Path) -> None:
        self._cloud, self._clock, self._folder = cloud, clock, folder

    async def answer(self, request: Request) -> Answer:
        """Answer one call."""
        now = self._clock.now().timestamp()
        match request.method, request.path:
            case "GET", ("health",):
                register = self._cloud.register
                facts = {"starts": register.starts, "jobs": len(register.jobs), "calls": register.calls}
                return Answer.json({"ok": True, "founded": register.founded, "busy": self._cloud.busy} | facts)
            case "GET", ("faults",):
                return Answer.json([self._shown(rule) for rule in self._cloud.book.rules()])
            case "POST", ("faults",):
                return self._arm(request, now)
            case "DELETE", ("faults", *ids):
                for rule_id in ids or [rule.id for rule in self._cloud.book.rules()]:
                    self._cloud.disarm(rule_id, now)
                return Answer(204)
            case "GET", ("report",):
                return Answer.json(check(read(self._folder), prefix=request.first("prefix")))
            case "GET", ("ledger",):
                lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in read(self._folder))
                return Answer(200, lines, {"content-type": "application/jsonl"})
            case "GET", ("jobs",):
                return Answer.json([_job(job) for job in self._cloud.jobs()])
            case _:
                return Answer.json({"error": "no such call"}, status=404)

    def _arm(self, request: Request, now: float) -> Answer:
        try:
            found = msgspec.json.decode(request.body, type=list[Rule] | Rule)
        except msgspec.DecodeError as error:
            return Answer.json({"error": str(error)}, status=400)
        armed = [self._cloud.arm(rule, now) for rule in (found if isinstance(found, list) else [found])]
        return Answer.json([self._shown(rule) for rule in armed], status=201)

    def _shown(self, rule: Rule) -> dict[str, Any]:
        shown: dict[str, Any] = msgspec.to_builtins(rule)
        return shown | {"happened": self._cloud.book.happened(rule.id)}


def _job(job: Any) -> dict[str, Any]:
    order = job.order
    return {
        "id": job.id, "api": order.api, "device": order.device, "token": order.token, "tags": order.tags,
        "status": job.status, "reason": job.reason, "call": job.made.call, "created": job.made.at, "moved": job.moved,
    }  # fmt: skip
