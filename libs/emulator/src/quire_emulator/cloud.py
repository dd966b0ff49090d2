"""The cloud behind its doors: it takes orders, keeps queues, runs jobs in their turn, and writes down all it does."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import msgspec

from quire_emulator.entries import Api, Applied, Armed, Called, Disarmed, Entry, Moved, Opened, Order, Promised
from quire_emulator.jobs import Job, Register
from quire_emulator.refusals import Refusal
from quire_emulator.rules import Book, Rule, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from quire_emulator.configuration import Configuration, Device

_JOBS: Final = uuid.UUID("5f8b2f0e-6c1e-4d5f-9a3b-0d9f2c7e4a11")


class Cloud:
    """One provider.

    configuration: its devices and habits. history: the lines of its ledger, from its earlier lives. write: puts new
    lines there. Times are seconds since 1970 and come as arguments; nothing here waits.
    """

    def __init__(
        self,
        configuration: Configuration,
        history: Iterable[Entry],
        write: Callable[[Entry], None],
        now: float,
        pid: int,
    ) -> None:
        self.configuration = configuration
        self.devices = {device.key: device for device in configuration.devices}
        self.book = Book(configuration.seed)
        self.register = Register(self.book)
        self._write = write
        for entry in history:
            self.register.take(entry)
            for rule_id in _came_true(entry):
                self.book.count(rule_id)
        first = self.register.founded is None
        self._record(Opened(at=now, seed=configuration.seed, pid=pid))
        if first:
            for rule in configuration.faults:
                self.arm(rule, now)
        self._allowance: dict[str, tuple[float, float]] = {}

    # ---- what is asked

    def jobs(self) -> Iterable[Job]:
        """All, in order of creation."""
        return self.register.jobs.values()

    def job(self, job_id: str, api: Api) -> Job | None:
        """The job of this id, if it belongs to that API."""
        job = self.register.jobs.get(job_id)
        return job if job and job.order.api == api else None

    def found(self, api: Api, now: float, *, since: float = 0.0, tag: str = "") -> Iterator[Job]:
        """What a search shows, newest first: created at `since` or later, and with `tag` if one is given."""
        listed = self.register.tagged.get(tag, {}) if tag else self.register.jobs
        for job in reversed(listed.values()):
            if job.made.at < since:
                return
            if job.made.order.api == api and job.made.shown <= now:
                yield job

    def away(self, device: Device, now: float) -> tuple[str, float | None] | None:
        """Why the device is away, and until when as far as that is known; None while it is there."""
        age = now - (self.register.founded or now)
        for window in device.maintenance:
            end = window.until(age)
            if end is not None:
                return "maintenance", now + end - age
        rule = self.book.offline(device.key, now)
        return (rule.message or "offline", None) if rule else None

    def position(self, job: Job) -> int:
        """Its place in the queue, from 1."""
        queue = self.register.queues[job.order.device]
        return next(place for place, (_, _, job_id) in enumerate(queue, 1) if job_id == job.id)

    # ---- what is done

    def next_call(self) -> int:
        """A number for a call."""
        self.register.calls += 1
        return self.register.calls

    def note(self, call: Called) -> None:
        """Write a call down."""
        self._record(call)

    def admit(self, order: Order, now: float) -> None:
        """Let an order in; it counts against the device's rate of creates.

        Raises:
            Refusal: the device is away, or a limit is reached.
        """
        device = self.devices[order.device]
        if device.retired:
            raise Refusal("retired", f"{device.name} has been retired")
        if gone := self.away(device, now):
            raise Refusal("offline", f"{device.name} is not available: {gone[0]}")
        if not self._allowed(device, now):
            raise Refusal("throttled", "Rate exceeded", retry_after=1.0)
        if not 0 < order.shots <= device.max_shots and not (order.shots == 0 and device.simulator):
            raise Refusal("shots", f"Number of shots must be from 1 to {device.max_shots}")
        if device.max_unfinished and self.register.unfinished(device.key) >= device.max_unfinished:
            raise Refusal("quota", f"At most {device.max_unfinished} jobs may wait or run on {device.name}")
        spent = self.register.spent.get(device.key, 0.0) + self.register.queued_spend.get(device.key, 0.0)
        for limit in self.configuration.spending_limits:
            if limit.device == device.key and spent + device.price(order.shots) > limit.amount:
                words = f"The spending limit of ${limit.amount:.2f} on {device.name} would be exceeded"
                raise Refusal("spending", words)

    def known(self, order: Order, now: float) -> Job | None:
        """The job that this order's token has already made.

        Raises:
            Refusal: the token stands for another request.
        """
        job = self.register.tokens.get((order.api, order.token)) if order.token else None
        if job is None or now - job.made.at > self.configuration.token_seconds:
            return None
        if job.order.request != order.request:
            raise Refusal("token", "The client token was used with other parameters")
        return job

    def apply(self, order: Order, call: int, now: float) -> Job:
        """Make a job of an order; it costs from now on."""
        device = self.devices[order.device]
        number = len(self.register.jobs) + 1
        seed = self.configuration.seed
        name = str(uuid.uuid5(_JOBS, f"{seed}|{self.register.founded}|{number}|{call}"))
        rules = {rule.kind: rule for rule in self.book.of_job(device.key, now)}
        least, most = device.wait
        wait = least + (most - least) * draw(seed, "wait", str(number))
        waits, hidden, held = rules.get("waits"), rules.get("lagging-search"), rules.get("withheld")
        made = Applied(
            at=now, call=call, job=name, order=order, price=device.price(order.shots),
            ready=now + wait + (waits.delay if waits else 0.0),
            shown=now + max(self.configuration.search_lag, hidden.delay if hidden else 0.0),
            withheld=(now + held.delay if held.delay else float("1e12")) if held else 0.0,
            fails=(rules["failed"].message or "the device failed") if "failed" in rules else "",
            share=rules["partial"].share if "partial" in rules else 1.0,
            rules=tuple(f"{rule.kind}:{rule.id}" for rule in rules.values()),
        )  # fmt: skip
        self._record(made)
        return self.register.jobs[name]

    def promise(self, order: Order, call: int, due: float, now: float) -> None:
        """Apply an order later."""
        self._record(Promised(at=now, call=call, due=due, order=order))

    def cancel(self, job: Job, now: float) -> bool:
        """End a job that is not over; whether it was not."""
        if job.over:
            return False
        self._record(Moved(at=now, job=job.id, status="CANCELLED", reason="cancelled by the user"))
        return True

    def arm(self, rule: Rule, now: float) -> Rule:
        """A fault may happen from now on; it has an id then."""
        named = rule if rule.id else _with_id(rule, f"{rule.kind}-{len(self.book.rules()) + self.register.calls + 1}")
        while not rule.id and any(other.id == named.id for other in self.book.rules()):
            named = _with_id(rule, named.id + "+")
        self._record(Armed(at=now, rule=named))
        return named

    def disarm(self, rule_id: str, now: float) -> None:
        """A fault happens no more."""
        self._record(Disarmed(at=now, rule=rule_id))

    def advance(self, now: float) -> Iterator[Job]:
        """Apply what was promised, start what is ready, and give the jobs whose run has lasted long enough to end."""
        for promise in [each for each in self.register.promised.values() if each.due <= now]:
            self._keep(promise, now)
        for key, device in self.devices.items():
            queue = self.register.queues.get(key, [])
            running = self.register.running.setdefault(key, [])
            if queue and not self.away(device, now):
                while queue and queue[0][0] <= now and len(running) < device.runs_at_once:
                    self._record(Moved(at=now, job=queue[0][2], status="RUNNING"))
            for job_id in tuple(running):
                job = self.register.jobs[job_id]
                if now - job.moved["RUNNING"] >= device.job_seconds + device.shot_seconds * job.order.shots:
                    yield job

    def end(self, job: Job, now: float, *, good: int, reason: str = "") -> None:
        """A run is over; with a `reason` it failed. A job that was cancelled meanwhile stays so."""
        if not job.over:
            self._record(
                Moved(at=now, job=job.id, status="FAILED" if reason else "COMPLETED", reason=reason, good=good)
            )

    @property
    def busy(self) -> bool:
        """Whether something waits or runs."""
        register = self.register
        return bool(register.promised or any(register.queues.values()) or any(register.running.values()))

    def _keep(self, promise: Promised, now: float) -> None:
        """Apply a promised order, unless its token was used meanwhile."""
        try:
            again = self.known(promise.order, now)
        except Refusal:
            self.register.promised.pop(promise.call, None)
            return
        if again is None:
            self.apply(promise.order, promise.call, now)
        else:
            order = promise.order
            self._record(
                Called(
                    at=now,
                    call=promise.call,
                    api=order.api,
                    operation="late",
                    token=order.token,
                    job=again.id,
                    again=True,
                )
            )

    def _allowed(self, device: Device, now: float) -> bool:
        """A bucket of one second's creates, filled as time passes."""
        rate = device.creates_per_second
        if not rate:
            return True
        room, last = self._allowance.get(device.key, (max(rate, 1.0), now))
        room = min(max(rate, 1.0), room + (now - last) * rate)
        self._allowance[device.key] = (room - 1 if room >= 1 else room, now)
        return room >= 1

    def _record(self, entry: Entry) -> None:
        self._write(entry)
        self.register.take(entry)


def _came_true(entry: Entry) -> tuple[str, ...]:
    """The ids of the rules that a line says came true."""
    if isinstance(entry, Applied):
        return tuple(rule.partition(":")[2] for rule in entry.rules)
    return (entry.rule,) if isinstance(entry, Called) and entry.rule else ()


def _with_id(rule: Rule, rule_id: str) -> Rule:
    return msgspec.structs.replace(rule, id=rule_id)
