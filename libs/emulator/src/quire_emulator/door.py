"""What every door of the cloud does with a call: let faults happen, write it down, and answer only then."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

from quire_emulator.entries import Api, Called, Order
from quire_emulator.refusals import Refusal, Silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from quire_emulator.cloud import Cloud
    from quire_emulator.http import Answer, Request
    from quire_emulator.jobs import Job
    from quire_emulator.rules import Rule
    from quire_resilience.clock import Clock

Operation = Literal["create", "get", "search", "cancel", "device", "devices", "limits", "result"]

_SILENT: Final = frozenset({"lost", "late", "timeout-applied"})


@dataclass
class Facts:
    """What the ledger shall say of a call beside how it was answered."""

    job: str = ""
    again: bool = False
    token: str = ""
    tags: tuple[str, ...] = ()
    request: str = ""
    code: str = ""


class Door:
    """One API's way into the cloud.

    api: what it is called in the ledger. refused: a refusal in the API's language.
    """

    def __init__(self, cloud: Cloud, clock: Clock, api: Api, refused: Callable[[Refusal], Answer]) -> None:
        self.cloud, self.clock, self.api = cloud, clock, api
        self._refused = refused

    def now(self) -> float:
        """Seconds since 1970."""
        return self.clock.now().timestamp()

    async def call(
        self, request: Request, operation: Operation, device: str, work: Callable[[Facts, float], Answer]
    ) -> Answer:
        """Let a call through: `work` does what it asks for, at once, and may raise `Refusal`.

        Raises:
            Silence: it shall not be answered.
        """
        rule = await self._fault(operation, device)
        facts = Facts()
        silent = rule is not None and rule.kind in _SILENT
        answer: Answer | None = None
        try:
            if rule:
                _refuse(rule)
            if not silent or (rule and rule.kind == "timeout-applied"):
                answer = work(facts, self.now())
        except Refusal as refusal:
            answer = self._refused(refusal)
            facts.code, silent = refusal.code or refusal.why, False
        return self._answered(request, operation, device, facts, answer=None if silent else answer, rule=rule)

    async def create(
        self, request: Request, device: str, prepared: Callable[[], Order], answered: Callable[[Job], Answer]
    ) -> Answer:
        """Let an order through: it is applied at most once for each token. `prepared` may raise `Refusal`.

        Raises:
            Silence: it shall not be answered.
        """
        call, facts = self.cloud.next_call(), Facts()
        rule = await self._fault("create", device)
        answer: Answer | None
        try:
            order = prepared()
            facts = Facts(token=order.token, tags=tuple(order.tags), request=order.request)
            if rule:
                _refuse(rule)
            job = self._applied(order, call, rule, facts)
            answer = answered(job) if job and not (rule and rule.kind in _SILENT) else None
        except Refusal as refusal:
            answer = self._refused(refusal)
            facts.code = refusal.code or refusal.why
        return self._answered(request, "create", device, facts, answer=answer, rule=rule, call=call)

    def _applied(self, order: Order, call: int, rule: Rule | None, facts: Facts) -> Job | None:
        """The order's job, as far as the rule lets it become one at once."""
        now = self.now()
        if rule and rule.kind == "lost":
            return None
        if rule and rule.kind == "late":
            self.cloud.promise(order, call, now + rule.delay, now)
            return None
        job = self.cloud.known(order, now)
        facts.again = job is not None
        if job is None:
            self.cloud.admit(order, now)
            job = self.cloud.apply(order, call, now)
        facts.job = job.id
        return job

    async def _fault(self, operation: Operation, device: str) -> Rule | None:
        """The fault of this call; what is slow has then been waited for."""
        rule = self.cloud.book.of_call(operation, device, self.now())
        if rule and rule.kind == "slow":
            await self.clock.sleep(rule.delay)
        return rule

    def _answered(
        self,
        request: Request,
        operation: str,
        device: str,
        facts: Facts,
        *,
        answer: Answer | None,
        rule: Rule | None,
        call: int = 0,
    ) -> Answer:
        """Write the call down and hand the answer on; without one, raise `Silence`."""
        self.cloud.note(
            Called(
                at=self.now(),
                call=call or self.cloud.next_call(),
                api=self.api,
                operation=operation,
                device=device,
                token=facts.token,
                tags=facts.tags,
                request=facts.request,
                caller=request.caller,
                job=facts.job,
                again=facts.again,
                rule=rule.id if rule else "",
                fault=rule.kind if rule else "",
                status=answer.status if answer else 0,
                code=facts.code,
            )
        )
        if answer is None:
            raise Silence(rule.answer if rule else "cut", rule.hold if rule else 0.0)
        return answer


def _refuse(rule: Rule) -> None:
    """Raise what a rule of refusal says."""
    if rule.kind == "throttle":
        raise Refusal("throttled", rule.message or "Rate exceeded", retry_after=rule.retry_after)
    if rule.kind == "error":
        raise Refusal("fault", rule.message or "internal error", status=rule.status or 500, code=rule.code)
    if rule.kind == "refused":
        raise Refusal("fault", rule.message or "refused", status=rule.status or 400, code=rule.code)


def digest(*parts: str) -> str:
    """A hash of what a request asks for."""
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
