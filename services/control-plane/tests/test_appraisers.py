"""Asking gateways that are quick, slow, silent and back again, on a clock that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from quire_bus.errors import QueryFailed, Unanswered
from quire_contracts.appraisal import Appraisal, AppraiseWork
from quire_contracts.load import TargetLoad
from quire_contracts.value import Fault, inline_blob
from quire_control_plane.budget.appraisers import AGAIN_SECONDS, BELIEVED, KNOWN_SECONDS, SILENT_SECONDS, Appraisers
from quire_control_plane.budget.silence import Silence
from quire_testing import ManualClock, eventually

WAIT = 2.0
GARNET, FORTE, AER = "aws:garnet", "aws:forte", "qiskit:aer"


def work(target: str, sets: int = 1) -> AppraiseWork:
    return AppraiseWork(target=target, structure=inline_blob(b"OPENQASM 3.0;", "text/plain"), parameter_sets=sets)


class Gateways:
    """Gateways that answer, or that hang until a test lets them go on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hanging = False
        self.wakes = asyncio.Event()
        self.refuse: Exception | None = None
        self.gates = 6

    async def ask(self, _service: str, _name: str, question: AppraiseWork, _type: object, *, seconds: float):
        assert seconds > WAIT
        self.asked.append(question.target)
        if self.hanging:
            await self.wakes.wait()
        if self.refuse is not None:
            raise self.refuse
        device = question.target != AER
        return Appraisal(question.target, question.parameter_sets, device=device, two_qubit_gates=self.gates)

    def freeze(self) -> None:
        self.hanging, self.wakes = True, asyncio.Event()

    def thaw(self) -> None:
        self.hanging = False
        self.wakes.set()


class Asking:
    """A replica that asks them."""

    def __init__(self) -> None:
        self.clock, self.gateways, self.loads = ManualClock(), Gateways(), dict[str, TargetLoad]()
        self.appraisers = Appraisers(self.gateways, lambda: self.loads, self.clock, WAIT)  # type: ignore[arg-type]

    async def ask(self, *questions: AppraiseWork) -> tuple[list[Appraisal | None], float]:
        """What a decision hears, and how long it waited for it."""
        began, asking = self.clock.monotonic(), asyncio.create_task(self.appraisers.ask(questions))
        while True:
            for _ in range(10):
                await asyncio.sleep(0)
            if asking.done():
                break
            self.clock.advance(KNOWN_SECONDS)
        found = await asking
        return [found[each] for each in questions], self.clock.monotonic() - began


@pytest_asyncio.fixture
async def asking() -> AsyncIterator[Asking]:
    made = Asking()
    yield made
    await made.appraisers.close()


async def test_a_silent_gateway_is_waited_for_once_whatever_it_is_asked_about_it(asking: Asking) -> None:
    asking.gateways.freeze()
    assert await asking.ask(work(GARNET)) == ([None], WAIT)
    for sets in (1, 1, 2, 3):
        assert await asking.ask(work(GARNET, sets)) == ([None], 0.0)
    assert asking.gateways.asked == [GARNET], "nor is it asked while a question is open"


async def test_all_of_a_decisions_questions_are_waited_for_together(asking: Asking) -> None:
    asking.gateways.freeze()
    targets = [f"aws:device-{number}" for number in range(5)]
    assert await asking.ask(*map(work, targets)) == ([None] * 5, WAIT)
    assert sorted(asking.gateways.asked) == targets


async def test_when_several_targets_are_silent_it_is_the_gateways_and_no_other_is_waited_for(asking: Asking) -> None:
    asking.gateways.freeze()
    assert (await asking.ask(work(GARNET)))[1] == WAIT
    assert (await asking.ask(work(FORTE)))[1] == WAIT, "one silent provider says nothing of another"
    assert await asking.ask(work("ibm:kingston")) == ([None], 0.0)
    asking.gateways.thaw()
    await eventually(lambda: not asking.appraisers._watches)
    (found,), seconds = await asking.ask(work("ibm:kingston"))
    assert (found is not None, seconds) == (True, 0.0)


async def test_what_is_said_late_ends_the_silence_and_serves_the_next_decision(asking: Asking) -> None:
    asking.gateways.freeze()
    assert (await asking.ask(work(GARNET)))[0] == [None]
    asking.gateways.thaw()
    await eventually(lambda: not asking.appraisers._watches)
    asking.gateways.refuse = Unanswered("gone")
    (found,), seconds = await asking.ask(work(GARNET))
    assert found is not None
    assert (found.two_qubit_gates, found.said_at, seconds) == (6, asking.clock.now(), 0.0)


async def test_a_silent_gateway_is_asked_again_in_the_background_and_its_silence_forgotten_after_a_while(
    asking: Asking,
) -> None:
    asking.gateways.freeze()
    await asking.ask(work(GARNET))
    asking.gateways.refuse = Unanswered("not within 10 s")
    asking.gateways.thaw()
    for number in range(2, 5):
        await eventually(lambda: asking.clock.sleeping)
        asking.clock.advance(AGAIN_SECONDS)
        await eventually(lambda number=number: len(asking.gateways.asked) == number)
    assert await asking.ask(work(GARNET)) == ([None], 0.0)
    await eventually(lambda: asking.clock.sleeping)
    asking.clock.advance(SILENT_SECONDS)
    await eventually(lambda: not asking.appraisers._watches)
    asking.gateways.freeze()
    assert (await asking.ask(work(GARNET)))[1] == WAIT


async def test_what_was_said_last_is_taken_marked_and_only_of_the_same_work_and_only_while_it_is_fresh(
    asking: Asking,
) -> None:
    (fresh,), _ = await asking.ask(work(GARNET, 3))
    assert fresh is not None
    assert fresh.said_at is None
    said = asking.clock.now()
    asking.gateways.freeze()
    asking.clock.advance(60.0)
    asking.loads[GARNET] = TargetLoad(GARNET, 1, 1, wait_seconds=4.0, batch_seconds=2.0, error_rate=0.0)
    (last,), seconds = await asking.ask(work(GARNET, 3))
    assert seconds == KNOWN_SECONDS, "there is something to go by"
    assert last == msgspec.structs.replace(fresh, said_at=said, wait_seconds=4.0, run_seconds=2.0)
    assert (await asking.ask(work(GARNET, 4)))[0] == [None], "that costs something else"
    asking.clock.advance((BELIEVED + timedelta(seconds=1)).total_seconds())
    assert (await asking.ask(work(GARNET, 3)))[0] == [None]


async def test_a_gateway_that_says_no_is_not_silent_and_a_simulator_needs_no_asking(asking: Asking) -> None:
    reason = Fault(kind="invalid", code="too-wide", reason="6 qubits", next_step="fewer", retryable=False)
    asking.gateways.refuse = QueryFailed(reason)
    (found,), _ = await asking.ask(work(GARNET))
    assert found is not None
    assert found.reason == "6 qubits"
    asking.gateways.refuse = None
    assert not asking.appraisers.plain(AER)
    await asking.ask(work(AER))
    assert asking.appraisers.plain(AER)
    assert asking.appraisers.plain("simulation")
    assert not asking.appraisers.plain(GARNET)


async def test_equal_questions_of_many_decisions_are_one(asking: Asking) -> None:
    asking.gateways.freeze()
    deciding = [asyncio.create_task(asking.appraisers.ask([work(GARNET)])) for _ in range(20)]
    await eventually(lambda: asking.gateways.asked)
    asking.gateways.thaw()
    assert {found.device for each in deciding for found in (await each).values() if found} == {True}
    assert asking.gateways.asked == [GARNET]


@given(st.lists(st.tuples(st.sampled_from(["missed", "heard", "forgotten"]), st.sampled_from("abc")), max_size=12))
def test_a_target_is_covered_by_its_own_silence_or_by_that_of_several(steps: list[tuple[str, str]]) -> None:
    silence, last, since = Silence(), dict[str, str](), set[str]()
    for what, target in steps:
        silence = getattr(silence, what)(target)
        last[target] = what
        since = set() if what == "heard" else since | {target} if what == "missed" else since - {target}
    silent = {target for target, what in last.items() if what == "missed"}
    for target in "abcd":
        assert silence.covers(target) == (target in silent or len(since) >= 2)
