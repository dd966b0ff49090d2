"""A small real service: it answers one question, and its background task and resource say when they ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec
import pytest

from quire_bus.router import Router
from quire_service import Deps, Parts, Service, ServiceSettings


class Ping(msgspec.Struct, frozen=True):
    number: int = 0


class Pong(msgspec.Struct, frozen=True):
    number: int
    instance: str


@dataclass
class Story:
    """What happened, in order."""

    events: list[str] = field(default_factory=list)
    fail: asyncio.Event = field(default_factory=asyncio.Event)
    deps: Deps | None = None
    stubborn: bool = False
    sick: str = ""


def make_echo(story: Story, name: str = "echo") -> Service[ServiceSettings]:
    async def build(deps: Deps[ServiceSettings]) -> Parts:
        story.deps = deps
        router = Router(name)

        @router.answer("ping", Ping)
        async def on_ping(question: Ping) -> Pong:
            deps.log.info("pinged", number=question.number)
            return Pong(question.number + 1, deps.instance)

        async def wait(stopping: asyncio.Event) -> None:
            failing = asyncio.create_task(story.fail.wait())
            told = asyncio.create_task(stopping.wait())
            await asyncio.wait({failing, told}, return_when=asyncio.FIRST_COMPLETED)
            if story.fail.is_set():
                raise RuntimeError("out of luck")
            failing.cancel()
            if story.stubborn:
                await asyncio.Event().wait()
            await deps.bus.check()  # the broker is still there for what a background task has left to say
            story.events.append("background finished")

        async def healthy() -> None:
            if story.sick:
                raise RuntimeError(story.sick)

        deps.lifetime.callback(story.events.append, "lifetime closed")
        return Parts(routers=(router,), background={"wait": wait}, checks={"luck": healthy})

    return Service(name=name, version="1.2.3", settings=ServiceSettings, build=build)


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def echo():
    """`echo(story, name)`: the small service."""
    return make_echo


@pytest.fixture
def ask(bus):
    """`await ask(name, number)`: the number and the instance that the service of that name answers."""

    async def question(name, number):
        answer = await bus.ask(name, "ping", Ping(number), Pong)
        return answer.number, answer.instance

    return question
